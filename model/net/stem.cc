#include "model/net/stem.h"

#include <algorithm>
#include <cmath>

#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {

Stem::Stem(const ModelConfig& config, ParamTable& table)
    : in(config.input.size()),
      out(config.width),
      activation(config.stem_activation),
      weight(table.Append("stem.weight", {out, in}, ParamGroup::kMatrix)),
      bias(table.Append("stem.bias", {out}, ParamGroup::kVector)) {}

void Stem::Init(std::span<float> params, Rng& rng) const {
  FillGaussian(weight, std::sqrt(1.0 / static_cast<double>(in)), params, rng);
}

void Stem::Forward(std::span<const float> params, const float* x, int64_t rows,
                   float* h) const {
  LinearRows(weight.in(params), bias.in(params), x, rows, in, out, h);
  if (activation == Activation::kRelu) {
    for (int64_t i = 0; i < rows * out; ++i) h[i] = std::max(h[i], 0.0f);
  }
}

void Stem::Backward(const float* x, const float* h, int64_t rows, float* dh,
                    std::span<float> gradient) const {
  if (activation == Activation::kRelu) {
    for (int64_t i = 0; i < rows * out; ++i) {
      if (h[i] <= 0) dh[i] = 0;
    }
  }
  LinearWeightBackward(dh, x, rows, in, out, weight.in(gradient),
                       bias.in(gradient));
}

}  // namespace mre
