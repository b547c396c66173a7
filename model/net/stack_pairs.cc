// The allocators of an "adak" in a stack: their second pass, and their loss
// (allocator.h).
#include <vector>

#include "model/net/batch_ops.h"
#include "model/net/routing.h"
#include "model/net/stack.h"

namespace mre {

void StackNetwork::RunPairs(std::span<const float> params, const float* x) {
  pairs_.resize(rows_);
  for (int64_t b = 0; b < rows_; ++b) {
    pairs_[b] = DrawPair(steps_, k_, DrawKey(options_.seed, b, steps_));
  }
  other_way_ = true;
  Run(params, x);
  const std::vector<double> other = RowCosts();
  other_way_ = false;
  Run(params, x);
  const std::vector<double> costs = RowCosts();
  for (int64_t b = 0; b < rows_; ++b) pairs_[b].regret = costs[b] - other[b];
}

std::vector<double> StackNetwork::RowCosts() const {
  const int64_t classes = config_.num_classes();
  std::vector<double> costs(rows_, 0.0);
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> p(classes);
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t t = 0; t <= steps_; ++t) {
        costs[b] += options_.step_weights[t] *
                    LossOf(logits_.data() + (b * (steps_ + 1) + t) * classes,
                           classes, options_.labels[b], p.data());
        if (t < steps_) costs[b] += options_.expert_cost * passes_[t].count[b];
      }
    }
  });
  return costs;
}

void StackNetwork::AllocatorBackward(int64_t layer, std::span<float> gradient) {
  const LayerPass& pass = passes_[layer];
  const Gate& allocator = *parts_.allocator(layer);
  dallocation_.assign(rows_ * k_, 0.0f);
  for (int64_t b = 0; b < rows_; ++b) {
    if (pairs_[b].layer != layer) continue;
    PairLoss(pairs_[b], Allocation(pass, b), 1.0 / static_cast<double>(rows_),
             dallocation_.data() + b * k_);
  }
  LinearWeightBackward(dallocation_.data(), router_input(pass), rows_,
                       features_.size(), k_, allocator.weight.in(gradient),
                       allocator.bias.in(gradient));
}

double StackNetwork::allocation_loss() const {
  double loss = 0;
  for (size_t b = 0; b < pairs_.size(); ++b) {
    const LayerPass& pass = passes_[pairs_[b].layer];
    loss += PairLoss(pairs_[b], Allocation(pass, b), 1, nullptr);
  }
  return loss / static_cast<double>(rows_);
}

}  // namespace mre
