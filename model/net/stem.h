// The stem: from a row's input to the features h that every stream starts
// from.
//
//   linear   h = activation(W x + b)       stem.weight [d,in], stem.bias [d]
//   patch    h[p] = activation(W x_p + b)  stem.weight [d,size,size,channels]
//   text     h = activation(W e(x) + b)    stem.weight [d,in E],
//                                          stem.embedding [256,E]
//
// x_p are the pixels, or the features that the front made of them (front.h), of
// the square that belongs to position p of the map; e(x)
// the vectors of a window's bytes (embedding.h), one after the other.
#ifndef MRE_MODEL_NET_STEM_H_
#define MRE_MODEL_NET_STEM_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/base/rng.h"
#include "model/net/front.h"
#include "model/net/params.h"

namespace mre {

struct Stem {
  Stem(const ModelConfig& config, ParamTable& params);

  // W ~ N(0, 1/its inputs), b = 0; the vectors of bytes ~ N(0, 1).
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows,in], already scaled; h: [rows,stream], written. In parallel,
  // unless it is called from a parallel loop.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               float* h) const;
  // Adds the parameters' gradients, given dh, which is masked by the
  // activation on the way. In parallel.
  void Backward(std::span<const float> params, const float* x, const float* h,
                int64_t rows, float* dh, std::span<float> gradient) const;

  const bool patches;
  const int64_t embedding;  // E, 0 where the input is no text
  const int64_t inputs;     // of a row
  const MapShape map;       // that patches are taken from
  const PatchConfig patch;
  const int64_t positions;
  const int64_t in;   // inputs of one output: StemInputs
  const int64_t out;  // outputs of one position
  const Activation activation;
  const Front front;
  Slot table;  // of bytes; only of a text
  Slot weight, bias;

 private:
  // What W reads, [rows,positions,in]: x itself, or `gathered`, filled.
  const float* Read(std::span<const float> params, const float* x, int64_t rows,
                    std::vector<float>& gathered) const;
};

// What one output of the stem's product reads: all elements of the input,
// those of a patch, or the vectors of all bytes of a text.
int64_t StemInputs(const ModelConfig& config);

}  // namespace mre

#endif  // MRE_MODEL_NET_STEM_H_
