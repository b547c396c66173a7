// What every input of a split does at every exit of a model. All reports about
// a model are made from this.
#ifndef MRE_MODEL_EVAL_OUTCOMES_H_
#define MRE_MODEL_EVAL_OUTCOMES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/data/dataset.h"
#include "model/net/network.h"
#include "model/net/params.h"

namespace mre {

// Exit t of input b stands at b * exits() + t. Shapes: B inputs, T steps. An
// input whose steps end before T repeats its last exit.
struct Outcomes {
  int64_t inputs = 0;
  int64_t steps = 0;
  std::vector<int32_t> top;       // [B,T+1] the class of largest probability
  std::vector<uint8_t> right;     // [B,T+1] 1 when that is the label
  std::vector<float> confidence;  // [B,T+1] its probability
  std::vector<float> coverage;    // [B,T+1] of the rays
  std::vector<double> loss;       // [B,T+1] cross-entropy, in nats
  std::vector<double> macs;       // [B,T+1] spent so far
  std::vector<int32_t> last;      // [B] steps after which nothing is left
  // Experts l*N+i as they ran. Those of step t+1 of input b begin at
  // expert_begin[b*T+t]; one number more than steps.
  std::vector<int32_t> experts;
  std::vector<int64_t> expert_begin;  // [B*T+1]
  std::vector<int32_t> path;          // [B,T] that of largest weight; -1: none

  int64_t exits() const { return steps + 1; }
  // The experts that steps 1..`to` of input b ran, in order.
  std::span<const int32_t> experts_of(int64_t b, int64_t to) const {
    const int64_t begin = expert_begin[b * steps];
    return std::span(experts).subspan(begin,
                                      expert_begin[b * steps + to] - begin);
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

#endif  // MRE_MODEL_EVAL_OUTCOMES_H_
