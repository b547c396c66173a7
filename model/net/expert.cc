#include "model/net/expert.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {

ConvShape ExpertConv(const ModelConfig& config) {
  const bool conv = config.expert == ExpertKind::kConv;
  return {config.map_height(), config.map_width(), config.width, config.hidden,
          conv ? kExpertKernel : 1};
}

Expert::Expert(const ModelConfig& config, const std::string& name,
               ParamTable& table)
    : conv(config.expert == ExpertKind::kConv), up_shape(ExpertConv(config)) {
  using enum ParamGroup;
  const int64_t d = width();
  const int64_t m = hidden_width();
  std::vector<int64_t> up = {m, d};
  if (conv) up = {m, up_shape.kernel, up_shape.kernel, d};
  up_weight =
      table.Append(absl::StrCat(name, ".up.weight"), std::move(up), kMatrix);
  up_bias = table.Append(absl::StrCat(name, ".up.bias"), {m}, kVector);
  down_weight =
      table.Append(absl::StrCat(name, ".down.weight"), {d, m}, kMatrix);
  down_bias = table.Append(absl::StrCat(name, ".down.bias"), {d}, kVector);
}

void Expert::Init(std::span<float> params, Rng& rng) const {
  const double inputs =
      static_cast<double>(up_shape.kernel * up_shape.kernel * width());
  FillGaussian(up_weight, std::sqrt(2 / inputs), params, rng);
  FillGaussian(down_weight,
               0.5 * std::sqrt(1.0 / static_cast<double>(hidden_width())),
               params, rng);
}

void Expert::Forward(std::span<const float> params, const float* x,
                     int64_t rows, float* hidden, float* y) const {
  const int64_t points = rows * up_shape.positions();
  if (conv) {
    ConvForward(up_shape, up_weight.in(params), up_bias.in(params), x, rows,
                hidden);
  } else {
    LinearRows(up_weight.in(params), up_bias.in(params), x, rows, width(),
               hidden_width(), hidden);
  }
  Relu(points * hidden_width(), hidden);
  LinearRows(down_weight.in(params), down_bias.in(params), hidden, points,
             hidden_width(), width(), y);
}

void Expert::Backward(std::span<const float> params, const float* x,
                      const float* hidden, const float* dy, int64_t rows,
                      float* dhidden, float* dx,
                      std::span<float> gradient) const {
  const int64_t d = width();
  const int64_t m = hidden_width();
  const int64_t points = rows * up_shape.positions();
  Gemm(true, false, d, m, points, dy, d, hidden, m, 1, down_weight.in(gradient),
       m);
  BiasBackward(dy, points, d, down_bias.in(gradient));
  Gemm(false, false, points, m, d, dy, d, down_weight.in(params), m, 0, dhidden,
       m);
  ReluBackward(hidden, points * m, dhidden);
  if (conv) {
    ConvBackwardWeights(up_shape, x, dhidden, rows, up_weight.in(gradient),
                        up_bias.in(gradient));
    ConvBackwardData(up_shape, up_weight.in(params), dhidden, rows, dx);
    return;
  }
  Gemm(true, false, m, d, rows, dhidden, m, x, d, 1, up_weight.in(gradient), d);
  BiasBackward(dhidden, rows, m, up_bias.in(gradient));
  Gemm(false, false, rows, d, m, dhidden, m, up_weight.in(params), d, 0, dx, d);
}

}  // namespace mre
