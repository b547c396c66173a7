#include "model/net/stack_params.h"

#include "absl/strings/str_cat.h"
#include "model/net/initial.h"

namespace mre {
namespace {

// router.{g}.{name}, for each group of layers that share one.
std::vector<Gate> Gates(const ModelConfig& config, absl::string_view name,
                        int64_t outputs, ParamTable& table) {
  std::vector<Gate> gates;
  for (int64_t g = 0; g < config.gate_groups(); ++g) {
    const std::string tensor = absl::StrCat("router.", g, ".", name);
    Gate gate;
    gate.weight =
        table.Append(absl::StrCat(tensor, ".weight"),
                     {outputs, config.features()}, ParamGroup::kRouter);
    gate.bias = table.Append(absl::StrCat(tensor, ".bias"), {outputs},
                             ParamGroup::kRouter);
    gates.push_back(gate);
  }
  return gates;
}

}  // namespace

StackParams::StackParams(const ModelConfig& config, Precision precision)
    : sharing(config.sharing),
      stem(config, precision, table),
      gates(config.has_router() ? Gates(config, "gate", config.experts, table)
                                : std::vector<Gate>()),
      allocators(config.allocations() > 0
                     ? Gates(config, "allocator", config.allocations(), table)
                     : std::vector<Gate>()),
      layers(ExpertLayers(config, precision, table)),
      head(config, table) {}

std::vector<float> InitialStackParams(const ModelConfig& config,
                                      uint64_t seed) {
  const StackParams parts(config);
  std::vector<float> params(parts.table.total, 0.0f);
  Rng rng(seed);
  parts.stem.Init(params, rng);
  for (const Gate& gate : parts.gates) {
    FillGaussian(gate.weight, config.kind == Kind::kPathmoe ? 0.2 : 0.02,
                 params, rng);
  }
  for (const ExpertLayer& layer : parts.layers) {
    layer.norm.Init(params);
    for (const Expert& expert : layer.experts) expert.Init(params, rng);
  }
  parts.head.Init(params, rng);
  return params;
}

}  // namespace mre
