#include "model/net/stack_params.h"

#include "absl/strings/str_cat.h"
#include "model/net/initial.h"

namespace mre {
namespace {

std::vector<Gate> Gates(const ModelConfig& config, ParamTable& table) {
  std::vector<Gate> gates;
  if (config.kind == Kind::kMlp) return gates;
  for (int64_t l = 0; l < config.layers; l += config.sharing) {
    const std::string name = absl::StrCat("router.", gates.size(), ".gate");
    Gate gate;
    gate.weight =
        table.Append(absl::StrCat(name, ".weight"),
                     {config.experts, config.features()}, ParamGroup::kRouter);
    gate.bias = table.Append(absl::StrCat(name, ".bias"), {config.experts},
                             ParamGroup::kRouter);
    gates.push_back(gate);
  }
  return gates;
}

}  // namespace

StackParams::StackParams(const ModelConfig& config)
    : sharing(config.sharing),
      stem(config, table),
      gates(Gates(config, table)),
      layers(ExpertLayers(config, table)),
      head(config, table) {}

std::vector<float> InitialStackParams(const ModelConfig& config,
                                      uint64_t seed) {
  const StackParams parts(config);
  std::vector<float> params(parts.table.total, 0.0f);
  Rng rng(seed);
  parts.stem.Init(params, rng);
  for (const Gate& gate : parts.gates) {
    FillGaussian(gate.weight, config.sharing > 1 ? 0.2 : 0.02, params, rng);
  }
  for (const ExpertLayer& layer : parts.layers) {
    layer.norm.Init(params);
    for (const Expert& expert : layer.experts) expert.Init(params, rng);
  }
  parts.head.Init(params, rng);
  return params;
}

}  // namespace mre
