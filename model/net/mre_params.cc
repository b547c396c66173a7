#include "model/net/mre_params.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/net/initial.h"

namespace mre {
MreRouterParams::MreRouterParams(const ModelConfig& config, ParamTable& table) {
  constexpr ParamGroup kRouter = ParamGroup::kRouter;
  const int64_t r = config.context;
  const int64_t n = config.experts;
  context_weight =
      table.Append("router.context.weight", {r, config.features()}, kRouter);
  context_bias = table.Append("router.context.bias", {r}, kRouter);
  for (int64_t l = 0; l < config.layers; ++l) {
    if (l % config.sharing == 0) {
      const std::string name =
          absl::StrCat("router.", l / config.sharing, ".gate");
      gate_weight.push_back(
          table.Append(absl::StrCat(name, ".weight"), {n, r}, kRouter));
      gate_bias.push_back(
          table.Append(absl::StrCat(name, ".bias"), {n}, kRouter));
    } else {
      gate_weight.push_back(Slot(gate_weight.back()));
      gate_bias.push_back(Slot(gate_bias.back()));
    }
    transition.push_back(
        l == 0 ? Slot{}
               : table.Append(absl::StrCat("router.", l, ".transition"), {n, n},
                              kRouter));
  }
}

MreParams::MreParams(const ModelConfig& config, Precision precision)
    : stem(config, precision, table),
      router(config, table),
      layers(ExpertLayers(config, precision, table)),
      head(config, table) {}

std::vector<float> InitialMreParams(const ModelConfig& config, uint64_t seed) {
  const MreParams parts(config);
  std::vector<float> params(parts.table.total, 0.0f);
  Rng rng(seed);
  parts.stem.Init(params, rng);
  FillGaussian(parts.router.context_weight,
               std::sqrt(1 / (3.0 * config.features())), params, rng);
  for (int64_t l = 0; l < config.layers; ++l) {
    if (l % config.sharing == 0) {
      FillGaussian(parts.router.gate_weight[l], 0.3, params, rng);
    }
    FillGaussian(parts.router.transition[l], 0.5, params, rng);
    parts.layers[l].norm.Init(params);
  }
  for (int64_t e = 0; e < config.total_experts(); ++e) {
    parts.expert(e).Init(params, rng);
  }
  parts.head.Init(params, rng);
  return params;
}

}  // namespace mre
