// What every input of a split does at every exit of a model. All reports about
// a model are made from this.
#ifndef MRE_MODEL_TRAIN_OUTCOMES_H_
#define MRE_MODEL_TRAIN_OUTCOMES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/network.h"
#include "model/net/params.h"
#include "model/train/dataset.h"

namespace mre {

// Exit t of input b stands at b * exits() + t. Shapes: B inputs, T steps, k
// experts a step.
struct Outcomes {
  int64_t inputs = 0;
  int64_t steps = 0;
  std::vector<int32_t> top;       // [B,T+1] the class of largest probability
  std::vector<uint8_t> right;     // [B,T+1] 1 when that is the label
  std::vector<float> confidence;  // [B,T+1] its probability
  std::vector<float> coverage;    // [B,T+1] of the rays
  std::vector<double> loss;       // [B,T+1] cross-entropy, in nats
  std::vector<int32_t> experts;   // [B,T,k] experts l*N+i as they ran
  std::vector<int32_t> path;      // [B,T] that of largest weight

  int64_t exits() const { return steps + 1; }
  int64_t experts_a_step() const {
    return static_cast<int64_t>(experts.size()) / (inputs * steps);
  }
  // The experts of input b, in order: [T,k].
  std::span<const int32_t> experts_of(int64_t b) const {
    const size_t row = experts.size() / inputs;
    return std::span(experts).subspan(b * row, row);
  }
  // The losses at the last exit, [B].
  std::vector<double> last_loss() const;
};

// Runs `pass.steps` steps of every input. REQUIRES: 1 <= pass.steps <=
// MaxSteps(config); split is not empty and its images have the model's shape.
// Independent of the thread count.
Outcomes Observe(const Model& model, const Split& split,
                 const PassOptions& pass);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_OUTCOMES_H_
