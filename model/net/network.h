// What the trainer needs of a model kind: its parameters, and a pass over a
// batch, forward and backward, with an exit at every step.
#ifndef MRE_MODEL_NET_NETWORK_H_
#define MRE_MODEL_NET_NETWORK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/params.h"

namespace mre {

// How the router of an "mre" learns (mre_pairs.h).
enum class RouterTraining {
  kStraightThrough,  // experts enter with a weight that the router moves
  kPairs,            // the loss after an expert against that after another
  kNone,             // not at all: nothing, the stem neither, learns to route
};

// How a batch is run.
struct PassOptions {
  // Steps to run. REQUIRES: 1 <= steps <= Network::max_steps().
  int64_t steps = 1;
  // What the model chooses among (experts, mostly) is chosen by the largest
  // log rate + noise * Gumbel. 0: greedy, as the server does.
  float noise = 0;
  // Of the relaxed choice that routing networks learn through.
  float temperature = 1;
  // Of the noise; the same seed draws the same noise.
  uint64_t seed = 0;
  // Weight of the load-balancing loss of kinds that have one; only its gradient
  // shows.
  double balance = 0;
  // Price of each expert that a row runs, for kinds that choose how many.
  double expert_cost = 0;
  // Weight of the arrival loss of kinds that have one; only its gradient shows.
  double arrival = 0;
  RouterTraining router = RouterTraining::kStraightThrough;
  // For choices that learn from losses: labels [rows], and the weight of each
  // exit's loss [steps+1]. Empty: such choices learn nothing.
  std::span<const uint8_t> labels = {};
  std::span<const float> step_weights = {};
  // To see how much hangs on the router: adds Gaussian noise to its logits
  // (router_noise.h), drawn from `seed`. Its standard deviation is this times
  // that of a row's logits in one layer. Forward only. 0: none.
  float router_noise = 0;
};

// What a forward pass of B rows through T steps leaves for the loss and for
// statistics. Exit 0 is before the first step. Views into the network, valid
// until its next pass.
struct Exits {
  int64_t rows = 0;
  int64_t steps = 0;
  std::span<const float> logits;    // [B,T+1,C]
  std::span<const float> coverage;  // [B,T+1]
  // Each row's experts l*N+i as they ran, [B,T,.]; -1 where a step ran fewer.
  std::span<const int32_t> experts;
  // [B,T] the expert of largest weight, or rate, of each step; -1: it ran none.
  // Empty where a step is one expert: `experts` says it.
  std::span<const int32_t> path = {};

  // Of kinds whose rows stop by themselves; empty elsewhere. Exits after a
  // row's last repeat it.
  //
  // Step t+1 of row b ran `experts` from expert_begin[b*T+t] to the next one's,
  // [B*T+1]; else every step has equally many.
  std::span<const int64_t> expert_begin = {};
  // Weights of a row's exits in the loss, [B,T+1], in place of the step
  // weights: 1 at the row's last exit, 0 elsewhere.
  std::span<const float> weights = {};
  // Multiply-accumulates that a row has spent by each exit, [B,T+1]; else they
  // follow from its experts (engine/cost.h).
  std::span<const uint64_t> macs = {};
};

// One kind of model at one size. Keeps what the backward pass needs of the last
// forward pass; holds no parameters. Uses ParallelFor; no bit depends on the
// thread count. Not thread-safe.
class Network {
 public:
  virtual ~Network() = default;

  virtual const ParamTable& table() const = 0;
  // Steps until nothing is left to run.
  virtual int64_t max_steps() const = 0;
  virtual std::vector<float> InitialParams(uint64_t seed) const = 0;

  // x: [rows, inputs], scaled.
  virtual Exits Forward(std::span<const float> params, const float* x,
                        int64_t rows, const PassOptions& options) = 0;
  // Adds to `gradient` that of a loss whose gradient with respect to the
  // logits of the last Forward is dlogits. x, params: those of that Forward.
  // Exits whose weight is 0 (Exits::weights) are not read.
  virtual void Backward(std::span<const float> params, const float* x,
                        const float* dlogits, std::span<float> gradient) = 0;
};

// Cross-entropy of one exit; p: room for its probabilities, [classes].
float LossOf(const float* logits, int64_t classes, int64_t label, float* p);

// Cross-entropy of each exit, weighted: mean over rows of
// sum_t step_weights[t] * CE(logits[b,t], labels[b]). Writes its gradient to
// dlogits [B,T+1,C] when that is not null. Exits that have weights of their own
// are weighted with those.
//
// With `distillation` d the exits before the last learn 1-d of the label and d
// of what the last one says, which is held fixed for that ("Be Your Own
// Teacher", arXiv 1905.08094). REQUIRES: 0 where exits have weights of their
// own.
double ExitLoss(const Exits& exits, int64_t classes, const uint8_t* labels,
                std::span<const float> step_weights, float* dlogits,
                float distillation = 0);

}  // namespace mre

#endif  // MRE_MODEL_NET_NETWORK_H_
