// The stem: from a row's input to the features h that every stream starts
// from.
//
//   linear   h = activation(W x + b)       stem.weight [d,in], stem.bias [d]
//   patch    h[p] = activation(W x_p + b)  stem.weight [d,size,size,channels]
//   text     h = activation(W e(x) + b)    stem.weight [d,in E],
//                                          stem.embedding [256,E]
//
// x_p are the pixels of the square that belongs to position p of the map; e(x)
// the vectors of a window's bytes (embedding.h), one after the other.
#ifndef MRE_MODEL_NET_STEM_H_
#define MRE_MODEL_NET_STEM_H_

#include <cstdint>
#include <span>

#include "model/base/rng.h"
#include "model/net/params.h"

namespace mre {

struct Stem {
  Stem(const ModelConfig& config, ParamTable& params);

  // W ~ N(0, 1/its inputs), b = 0; the vectors of bytes ~ N(0, 1).
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows,in], already scaled; h: [rows,stream], written. On the calling
  // thread.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               float* h) const;
  // Adds the parameters' gradients, given dh, which is masked by the
  // activation on the way. In parallel.
  void Backward(std::span<const float> params, const float* x, const float* h,
                int64_t rows, float* dh, std::span<float> gradient) const;

  const bool patches;
  const int64_t embedding;  // E, 0 where the input is no text
  const InputConfig input;
  const PatchConfig patch;
  const int64_t map_height, map_width;
  const int64_t in;   // inputs of one output: StemInputs
  const int64_t out;  // outputs of one position
  const Activation activation;
  Slot table;  // of bytes; only of a text
  Slot weight, bias;

 private:
  int64_t positions() const { return map_height * map_width; }
  // Whether W reads the input as it is.
  bool direct() const { return !patches && embedding == 0; }
  // What W reads: [rows,positions,in].
  void Gather(std::span<const float> params, const float* x, int64_t rows,
              float* gathered) const;
};

// What one output of the stem's product reads: all elements of the input,
// those of a patch, or the vectors of all bytes of a text.
int64_t StemInputs(const ModelConfig& config);

// x [rows,H,W,C] to patches [rows,positions,size,size,C]. REQUIRES: conv
// experts.
void GatherPatches(const InputConfig& input, const PatchConfig& patch,
                   int64_t map_height, int64_t map_width, const float* x,
                   int64_t rows, float* patches);

}  // namespace mre

#endif  // MRE_MODEL_NET_STEM_H_
