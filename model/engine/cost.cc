#include "model/engine/cost.h"

namespace mre {

Cost CostOf(const ModelConfig& config) {
  const int64_t d = config.width;
  Cost cost;
  cost.stem = d * config.input.size();
  switch (config.kind) {
    case Kind::kMre:
      cost.stem += config.context * d + config.total_experts() * config.context;
      break;
    case Kind::kTopk:
    case Kind::kPathmoe:
      cost.gate = d * config.experts;
      cost.experts_a_step = config.top_k;
      break;
    case Kind::kMlp:
      break;
  }
  cost.expert = 2 * d * config.hidden;
  cost.head = d * config.num_classes();
  return cost;
}

int64_t MaxSteps(const ModelConfig& config) {
  return config.kind == Kind::kMre ? config.total_experts() : config.layers;
}

}  // namespace mre
