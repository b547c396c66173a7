#include "model/engine/cost.h"

#include <algorithm>

#include "model/net/conv_stem.h"
#include "model/net/expert.h"
#include "model/net/raytracing_params.h"

namespace mre {
namespace {

Cost RaytracingCost(const ModelConfig& config) {
  const RaytracingParams parts(config);
  Cost cost;
  for (const RayLinear& module : parts.modules) cost.stem += module.weight.size;
  for (const RayLinear& block : parts.blocks) {
    cost.each.push_back(block.weight.size);
    cost.expert = std::max(cost.expert, cost.each.back());
  }
  cost.experts_a_step = parts.blocks.size();
  cost.head = parts.head.weight.size;
  return cost;
}

}  // namespace

Cost CostOf(const ModelConfig& config) {
  if (config.kind == Kind::kRaytracing) return RaytracingCost(config);
  Cost cost;
  for (const ConvShape& conv : StemConvs(config)) cost.stem += conv.macs();
  if (config.expert == ExpertKind::kMlp) {
    cost.stem = config.width * config.linear_stem_inputs();
  }
  switch (config.kind) {
    case Kind::kMre:
      cost.stem += config.context * config.features() +
                   config.gate_groups() * config.experts * config.context;
      break;
    case Kind::kTopk:
    case Kind::kPathmoe:
    case Kind::kAdak:
      cost.gate = config.features() * (config.experts + config.allocations());
      cost.experts_a_step = config.top_k;
      break;
    case Kind::kMlp:
    case Kind::kCnn:
    case Kind::kRaytracing:
      break;
  }
  // Zeros around a map's borders are counted.
  cost.expert = ExpertUp(config).macs() + ExpertDown(config).macs();
  cost.head = config.stream_size() * config.num_classes();
  return cost;
}

int64_t MaxSteps(const ModelConfig& config) {
  if (config.kind == Kind::kRaytracing) return config.raytracing.max_steps;
  return config.kind == Kind::kMre ? config.expert_steps() : config.layers;
}

}  // namespace mre
