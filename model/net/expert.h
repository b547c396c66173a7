// An expert: what one step runs on a stream.
//
//   mlp    y = down(relu(up(x)))       {name}.up.weight [m,d] .up.bias [m]
//                                      {name}.down.weight [d,m] .down.bias [d]
//
// x is the stream after its LayerNorm.
#ifndef MRE_MODEL_NET_EXPERT_H_
#define MRE_MODEL_NET_EXPERT_H_

#include <cstdint>
#include <span>
#include <string>

#include "model/base/rng.h"
#include "model/net/params.h"

namespace mre {

struct Expert {
  // Tensors are named after `name`.
  Expert(const ModelConfig& config, const std::string& name, ParamTable& table);

  // up ~ N(0, 2/d), down ~ N(0, 1/m)/2, biases 0.
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows,d]; hidden: [rows,m] and y: [rows,d], written. Both passes run on
  // the calling thread.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               float* hidden, float* y) const;
  // Given dy, adds the parameters' gradients and writes dx. dhidden: [rows,m],
  // scratch.
  void Backward(std::span<const float> params, const float* x,
                const float* hidden, const float* dy, int64_t rows,
                float* dhidden, float* dx, std::span<float> gradient) const;

  const int64_t width;
  const int64_t hidden_size;
  Slot up_weight, up_bias, down_weight, down_bias;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_EXPERT_H_
