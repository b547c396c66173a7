// The stem: from a row's input to the features h that every stream starts
// from.
//
//   linear   h = activation(W x + b)          stem.weight [d,in], stem.bias [d]
#ifndef MRE_MODEL_NET_STEM_H_
#define MRE_MODEL_NET_STEM_H_

#include <cstdint>
#include <span>

#include "model/base/rng.h"
#include "model/net/params.h"

namespace mre {

struct Stem {
  Stem(const ModelConfig& config, ParamTable& table);

  // W ~ N(0, 1/in), b = 0.
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows,in], already scaled; h: [rows,d], written. On the calling thread.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               float* h) const;
  // Adds the parameters' gradients, given dh, which is masked by the
  // activation on the way. In parallel.
  void Backward(const float* x, const float* h, int64_t rows, float* dh,
                std::span<float> gradient) const;

  const int64_t in;
  const int64_t out;
  const Activation activation;
  Slot weight, bias;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_STEM_H_
