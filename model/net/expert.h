// An expert: what one step runs on a stream.
//
//   mlp    y = down(relu(up(x)))       {name}.up.weight [m,d] .up.bias [m]
//                                      {name}.down.weight [d,m] .down.bias [d]
//   conv   y = down(relu(up(x)))       {name}.up.weight [m,3,3,d] .up.bias [m]
//                                      {name}.down.weight [d,m] .down.bias [d]
//
// x is the stream after its LayerNorm. On a map (conv) up is a 3x3 convolution
// with zeros around the borders, down works on each position.
#ifndef MRE_MODEL_NET_EXPERT_H_
#define MRE_MODEL_NET_EXPERT_H_

#include <cstdint>
#include <span>
#include <string>

#include "model/base/rng.h"
#include "model/math/conv.h"
#include "model/net/params.h"

namespace mre {

struct Expert {
  // Tensors are named after `name`; `precision` is that of convolutions.
  Expert(const ModelConfig& config, Precision precision,
         const std::string& name, ParamTable& table);

  // up ~ N(0, 2/its inputs), down ~ N(0, 1/m)/2, biases 0.
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows, stream]; hidden: [rows, hidden layer] and y: [rows, stream],
  // written. Both passes run on the calling thread.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               float* hidden, float* y) const;
  // Given dy, adds the parameters' gradients and writes dx. dhidden: as hidden,
  // scratch.
  void Backward(std::span<const float> params, const float* x,
                const float* hidden, const float* dy, int64_t rows,
                float* dhidden, float* dx, std::span<float> gradient) const;

  const bool conv;
  const ConvShape up_shape, down_shape;  // mlp: of maps of one position
  Slot up_weight, up_bias, down_weight, down_bias;

 private:
  int64_t width() const { return down_shape.out; }
  int64_t hidden_width() const { return up_shape.out; }
};

// Up and down of a config's experts, as convolutions in f32; those of mlp
// experts are of maps of one position.
ConvShape ExpertUp(const ModelConfig& config);
ConvShape ExpertDown(const ModelConfig& config);

}  // namespace mre

#endif  // MRE_MODEL_NET_EXPERT_H_
