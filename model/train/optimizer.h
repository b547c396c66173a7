// AdamW over a model's block of parameters, gradient clipping, and a moving
// average of the weights. All run in parallel over blocks whose borders do not
// depend on the thread count, so neither do the results.
#ifndef MRE_MODEL_TRAIN_OPTIMIZER_H_
#define MRE_MODEL_TRAIN_OPTIMIZER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/params.h"

namespace mre {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  // Decoupled (Loshchilov and Hutter, 2019): the weight shrinks by rate *
  // weight_decay a step, whatever its gradient. Matrices only: biases, norms
  // and the router are not decayed.
  double weight_decay = 0.01;
  // The router's rate is this much of everyone else's.
  double router_rate = 1;
  // Above 0, the experts of a layer have a part in common beside their own:
  // every tensor is U + V_i, U trained with this much of everyone's rate. U and
  // V_i are never told apart; only the moments of U's gradient, the sum over
  // the layer's experts, are kept.
  double shared_rate = 0;
};

// Moments of every parameter, and how many steps made them.
struct AdamWState {
  std::vector<float> first;
  std::vector<float> second;
  // Those of the parts in common, where there are any.
  std::vector<float> shared_first;
  std::vector<float> shared_second;
  int64_t steps = 0;
};

// Floats of each of a table's two shared moments.
int64_t SharedSize(const ParamTable& table);

// One step of `params` against `gradient`, both table.total floats. An empty
// state starts from zero.
void AdamWStep(const AdamWOptions& options, const ParamTable& table,
               double rate, std::span<const float> gradient, AdamWState& state,
               std::span<float> params);

// Scales `gradient` down so that its 2-norm is at most `limit` (0: leaves it).
// Returns the norm before.
double ClipByNorm(double limit, std::span<float> gradient);

// average += (1 - d) * (params - average), with d = min(decay, (1 + steps) /
// (10 + steps)), so that the average soon forgets where it began.
void UpdateAverage(double decay, int64_t steps, std::span<const float> params,
                   std::span<float> average);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_OPTIMIZER_H_
