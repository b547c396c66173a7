#include "model/engine/cost.h"

namespace mre {

Cost CostOf(const ModelConfig& config) {
  const int64_t d = config.width;
  Cost cost;
  cost.stem = d * config.input.size() + config.context * d +
              config.total_experts() * config.context;
  cost.expert = 2 * d * config.hidden;
  cost.head = d * config.num_classes();
  return cost;
}

int64_t MaxSteps(const ModelConfig& config) { return config.total_experts(); }

}  // namespace mre
