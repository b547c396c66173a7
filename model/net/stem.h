// The stem: from a row's input to the features h that every stream starts
// from.
//
//   linear   h = activation(W x + b)       stem.weight [d,in], stem.bias [d]
//   patch    h[p] = activation(W x_p + b)  stem.weight [d,size,size,channels]
//
// x_p are the pixels of the square that belongs to position p of the map.
#ifndef MRE_MODEL_NET_STEM_H_
#define MRE_MODEL_NET_STEM_H_

#include <cstdint>
#include <span>

#include "model/base/rng.h"
#include "model/net/params.h"

namespace mre {

struct Stem {
  Stem(const ModelConfig& config, ParamTable& table);

  // W ~ N(0, 1/its inputs), b = 0.
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows,in], already scaled; h: [rows,stream], written. On the calling
  // thread.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               float* h) const;
  // Adds the parameters' gradients, given dh, which is masked by the
  // activation on the way. In parallel.
  void Backward(const float* x, const float* h, int64_t rows, float* dh,
                std::span<float> gradient) const;

  const bool patches;
  const InputConfig input;
  const PatchConfig patch;
  const int64_t map_height, map_width;
  const int64_t in;   // inputs of one output: all, or a patch's
  const int64_t out;  // outputs of one position
  const Activation activation;
  Slot weight, bias;

 private:
  int64_t positions() const { return map_height * map_width; }
};

// Inputs of one position of the stem's product, and their gathering: x [rows,
// H,W,C] to patches [rows,positions,size,size,C]. REQUIRES: conv experts.
int64_t PatchInputs(const ModelConfig& config);
void GatherPatches(const InputConfig& input, const PatchConfig& patch,
                   int64_t map_height, int64_t map_width, const float* x,
                   int64_t rows, float* patches);

}  // namespace mre

#endif  // MRE_MODEL_NET_STEM_H_
