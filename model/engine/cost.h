// What each part of a model costs, in multiply-accumulates of its matrix
// products.
#ifndef MRE_MODEL_ENGINE_COST_H_
#define MRE_MODEL_ENGINE_COST_H_

#include <cstdint>
#include <numeric>
#include <vector>

#include "model/net/config.h"

namespace mre {

struct Cost {
  uint64_t stem = 0;    // once a row; mre: with the routing network
  uint64_t expert = 0;  // each expert; raytracing: the dearest
  uint64_t head = 0;    // once a step, step 0 included
  // Once a step but step 0: a layer's router, and allocator.
  uint64_t gate = 0;
  uint64_t experts_a_step = 1;  // adak, raytracing: the most of them
  // Of each expert where they differ, else empty. Only "raytracing" has it.
  std::vector<uint64_t> each = {};

  uint64_t Expert(int64_t e) const { return each.empty() ? expert : each[e]; }
  // Spent by a row once it has run `steps` steps; adak, raytracing: at most.
  uint64_t After(uint64_t steps) const {
    // Engines ask for step 0 of each row: no sum over blocks for that.
    return stem + head + (steps == 0 ? 0 : steps * OneStep());
  }
  // What one more step spends; adak, raytracing: at most.
  uint64_t OneStep() const {
    return each.empty()
               ? Step(experts_a_step)
               : std::accumulate(each.begin(), each.end(), gate + head);
  }
  // What a step of so many experts spends. REQUIRES: all cost the same.
  uint64_t Step(uint64_t experts) const {
    return gate + experts * expert + head;
  }
};

// REQUIRES, both: Validate(config).ok().
Cost CostOf(const ModelConfig& config);
// Steps until nothing is left to run.
int64_t MaxSteps(const ModelConfig& config);

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_COST_H_
