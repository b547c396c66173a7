#include "model/net/expert.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {
namespace {

constexpr PatchConfig kOnePosition = {1, 1, 0};

ConvShape In(Precision precision, ConvShape shape) {
  shape.precision = precision;
  return shape;
}

}  // namespace

ConvShape ExpertUp(const ModelConfig& config) {
  const PatchConfig around = {kExpertKernel, 1, kExpertKernel / 2};
  const bool conv = config.expert == ExpertKind::kConv;
  return {config.map(), conv ? around : kOnePosition, config.hidden};
}

ConvShape ExpertDown(const ModelConfig& config) {
  return {ExpertUp(config).to(), kOnePosition, config.width};
}

Expert::Expert(const ModelConfig& config, Precision precision,
               const std::string& name, ParamTable& table)
    : conv(config.expert == ExpertKind::kConv),
      up_shape(In(precision, ExpertUp(config))),
      down_shape(In(precision, ExpertDown(config))) {
  using enum ParamGroup;
  const int64_t d = width();
  const int64_t m = hidden_width();
  std::vector<int64_t> up = {m, d};
  if (conv) up = {m, kExpertKernel, kExpertKernel, d};
  up_weight =
      table.Append(absl::StrCat(name, ".up.weight"), std::move(up), kMatrix);
  up_bias = table.Append(absl::StrCat(name, ".up.bias"), {m}, kVector);
  down_weight =
      table.Append(absl::StrCat(name, ".down.weight"), {d, m}, kMatrix);
  down_bias = table.Append(absl::StrCat(name, ".down.bias"), {d}, kVector);
}

void Expert::Init(std::span<float> params, Rng& rng) const {
  FillGaussian(up_weight, std::sqrt(2 / static_cast<double>(up_shape.inputs())),
               params, rng);
  FillGaussian(down_weight,
               0.5 * std::sqrt(1.0 / static_cast<double>(hidden_width())),
               params, rng);
}

void Expert::Forward(std::span<const float> params, const float* x,
                     int64_t rows, float* hidden, float* y) const {
  if (conv) {
    ConvForward(up_shape, up_weight.in(params), up_bias.in(params), x, rows,
                hidden);
    Relu(rows * up_shape.to().size(), hidden);
    ConvForward(down_shape, down_weight.in(params), down_bias.in(params),
                hidden, rows, y);
    return;
  }
  const int64_t d = width();
  const int64_t m = hidden_width();
  LinearRows(up_weight.in(params), up_bias.in(params), x, rows, d, m, hidden);
  Relu(rows * m, hidden);
  LinearRows(down_weight.in(params), down_bias.in(params), hidden, rows, m, d,
             y);
}

void Expert::Backward(std::span<const float> params, const float* x,
                      const float* hidden, const float* dy, int64_t rows,
                      float* dhidden, float* dx,
                      std::span<float> gradient) const {
  if (conv) {
    ConvBackwardWeights(down_shape, hidden, dy, rows, down_weight.in(gradient),
                        down_bias.in(gradient));
    ConvBackwardData(down_shape, down_weight.in(params), dy, rows, dhidden);
    ReluBackward(hidden, rows * up_shape.to().size(), dhidden);
    ConvBackwardWeights(up_shape, x, dhidden, rows, up_weight.in(gradient),
                        up_bias.in(gradient));
    ConvBackwardData(up_shape, up_weight.in(params), dhidden, rows, dx);
    return;
  }
  const int64_t d = width();
  const int64_t m = hidden_width();
  Gemm(true, false, d, m, rows, dy, d, hidden, m, 1, down_weight.in(gradient),
       m);
  BiasBackward(dy, rows, d, down_bias.in(gradient));
  Gemm(false, false, rows, m, d, dy, d, down_weight.in(params), m, 0, dhidden,
       m);
  ReluBackward(hidden, rows * m, dhidden);
  Gemm(true, false, m, d, rows, dhidden, m, x, d, 1, up_weight.in(gradient), d);
  BiasBackward(dhidden, rows, m, up_bias.in(gradient));
  Gemm(false, false, rows, d, m, dhidden, m, up_weight.in(params), d, 0, dx, d);
}

}  // namespace mre
