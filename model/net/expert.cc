#include "model/net/expert.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {

Expert::Expert(const ModelConfig& config, const std::string& name,
               ParamTable& table)
    : width(config.width), hidden_size(config.hidden) {
  using enum ParamGroup;
  up_weight = table.Append(absl::StrCat(name, ".up.weight"),
                           {hidden_size, width}, kMatrix);
  up_bias =
      table.Append(absl::StrCat(name, ".up.bias"), {hidden_size}, kVector);
  down_weight = table.Append(absl::StrCat(name, ".down.weight"),
                             {width, hidden_size}, kMatrix);
  down_bias = table.Append(absl::StrCat(name, ".down.bias"), {width}, kVector);
}

void Expert::Init(std::span<float> params, Rng& rng) const {
  FillGaussian(up_weight, std::sqrt(2 / static_cast<double>(width)), params,
               rng);
  FillGaussian(down_weight,
               0.5 * std::sqrt(1.0 / static_cast<double>(hidden_size)), params,
               rng);
}

void Expert::Forward(std::span<const float> params, const float* x,
                     int64_t rows, float* hidden, float* y) const {
  LinearRows(up_weight.in(params), up_bias.in(params), x, rows, width,
             hidden_size, hidden);
  for (int64_t k = 0; k < rows * hidden_size; ++k) {
    hidden[k] = std::max(hidden[k], 0.0f);
  }
  LinearRows(down_weight.in(params), down_bias.in(params), hidden, rows,
             hidden_size, width, y);
}

void Expert::Backward(std::span<const float> params, const float* x,
                      const float* hidden, const float* dy, int64_t rows,
                      float* dhidden, float* dx,
                      std::span<float> gradient) const {
  const int64_t d = width;
  const int64_t m = hidden_size;
  Gemm(true, false, d, m, rows, dy, d, hidden, m, 1, down_weight.in(gradient),
       m);
  BiasBackward(dy, rows, d, down_bias.in(gradient));
  Gemm(false, false, rows, m, d, dy, d, down_weight.in(params), m, 0, dhidden,
       m);
  for (int64_t k = 0; k < rows * m; ++k) {
    if (hidden[k] <= 0) dhidden[k] = 0;
  }
  Gemm(true, false, m, d, rows, dhidden, m, x, d, 1, up_weight.in(gradient), d);
  BiasBackward(dhidden, rows, m, up_bias.in(gradient));
  Gemm(false, false, rows, d, m, dhidden, m, up_weight.in(params), d, 0, dx, d);
}

}  // namespace mre
