// What each part of a model costs, in multiply-accumulates of its matrix
// products.
#ifndef MRE_MODEL_ENGINE_COST_H_
#define MRE_MODEL_ENGINE_COST_H_

#include <cstdint>

#include "model/net/config.h"

namespace mre {

struct Cost {
  uint64_t stem = 0;    // stem and routing network, once a row
  uint64_t expert = 0;  // each expert
  uint64_t head = 0;    // once a step, step 0 included

  // Spent by a row once it has run `steps` experts.
  uint64_t After(uint64_t steps) const {
    return stem + head + steps * OneStep();
  }
  // What one more step spends.
  uint64_t OneStep() const { return expert + head; }
};

// REQUIRES, both: Validate(config).ok().
Cost CostOf(const ModelConfig& config);
// Steps until nothing is left to run.
int64_t MaxSteps(const ModelConfig& config);

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_COST_H_
