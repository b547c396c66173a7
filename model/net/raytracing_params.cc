#include "model/net/raytracing_params.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/rng.h"
#include "model/net/initial.h"
#include "model/net/wiring.h"

namespace mre {
namespace {

RayLinear Append(const std::string& name, int64_t out, int64_t in,
                 ParamTable& table) {
  RayLinear linear;
  linear.weight = table.Append(absl::StrCat(name, ".weight"), {out, in},
                               ParamGroup::kMatrix);
  linear.bias =
      table.Append(absl::StrCat(name, ".bias"), {out}, ParamGroup::kVector);
  linear.in = in;
  return linear;
}

}  // namespace

RaytracingParams::RaytracingParams(const ModelConfig& config) {
  const std::vector<int64_t> wires = WiresByLevel(config);
  for (int64_t m = 0; m < config.raytracing.modules; ++m) {
    modules.push_back(Append(absl::StrCat("modules.", m), config.width,
                             InputsOfModule(config), table));
  }
  for (int64_t l = 0; l < config.layers; ++l) {
    for (int64_t i = 0; i < config.experts; ++i) {
      blocks.push_back(
          Append(absl::StrCat("layers.", l, ".experts.", i), config.hidden,
                 WiresOfBlock(wires[l], config.experts, i), table));
    }
  }
  head = Append("head", config.num_classes(), wires.back(), table);
}

std::vector<float> InitialRaytracingParams(const ModelConfig& config,
                                           uint64_t seed) {
  const RaytracingParams parts(config);
  std::vector<float> params(parts.table.total, 0.0f);
  Rng rng(seed);
  for (const RayLinear& module : parts.modules) {
    FillGaussian(module.weight,
                 0.4 * std::sqrt(1 / static_cast<double>(module.in)), params,
                 rng);
  }
  for (const RayLinear& block : parts.blocks) {
    FillGaussian(block.weight, 1, params, rng);
  }
  FillGaussian(parts.head.weight, 0.1, params, rng);
  return params;
}

}  // namespace mre
