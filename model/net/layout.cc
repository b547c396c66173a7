#include "model/net/layout.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace mre {

Slot Layout::Append(std::string name, std::vector<int64_t> shape,
                    ParamGroup group) {
  Slot slot{total, 1};
  for (const int64_t dim : shape) slot.size *= dim;
  specs.push_back(
      {std::move(name), std::move(shape), slot.offset, slot.size, group});
  total += slot.size;
  return slot;
}

Layout::Layout(const ModelConfig& config) {
  using enum ParamGroup;
  const int64_t d = config.width;
  const int64_t m = config.hidden;
  const int64_t r = config.context;
  const int64_t n = config.experts;
  stem_weight = Append("stem.weight", {d, config.input.size()}, kMatrix);
  stem_bias = Append("stem.bias", {d}, kVector);
  context_weight = Append("router.context.weight", {r, d}, kRouter);
  context_bias = Append("router.context.bias", {r}, kRouter);
  for (int64_t l = 0; l < config.layers; ++l) {
    const std::string router = absl::StrCat("router.", l);
    gate_weight.push_back(
        Append(absl::StrCat(router, ".gate.weight"), {n, r}, kRouter));
    gate_bias.push_back(
        Append(absl::StrCat(router, ".gate.bias"), {n}, kRouter));
    transition.push_back(
        l == 0 ? Slot{}
               : Append(absl::StrCat(router, ".transition"), {n, n}, kRouter));
  }
  for (int64_t l = 0; l < config.layers; ++l) {
    const std::string layer = absl::StrCat("layers.", l);
    norm_weight.push_back(
        Append(absl::StrCat(layer, ".norm.weight"), {d}, kVector));
    norm_bias.push_back(
        Append(absl::StrCat(layer, ".norm.bias"), {d}, kVector));
    for (int64_t i = 0; i < n; ++i) {
      const std::string expert = absl::StrCat(layer, ".experts.", i);
      up_weight.push_back(
          Append(absl::StrCat(expert, ".up.weight"), {m, d}, kMatrix));
      up_bias.push_back(Append(absl::StrCat(expert, ".up.bias"), {m}, kVector));
      down_weight.push_back(
          Append(absl::StrCat(expert, ".down.weight"), {d, m}, kMatrix));
      down_bias.push_back(
          Append(absl::StrCat(expert, ".down.bias"), {d}, kVector));
    }
  }
  head_norm_weight = Append("head.norm.weight", {d}, kVector);
  head_norm_bias = Append("head.norm.bias", {d}, kVector);
  head_weight = Append("head.weight", {config.num_classes(), d}, kMatrix);
  head_bias = Append("head.bias", {config.num_classes()}, kVector);
}

int64_t ParameterCount(const ModelConfig& config) {
  const int64_t d = config.width;
  const int64_t m = config.hidden;
  const int64_t r = config.context;
  const int64_t n = config.experts;
  const int64_t layers = config.layers;
  return d * config.input.size() + d + r * d + r + layers * (n * r + n) +
         (layers - 1) * n * n + layers * 2 * d +
         layers * n * (2 * m * d + m + d) + 2 * d + config.num_classes() * d +
         config.num_classes();
}

}  // namespace mre
