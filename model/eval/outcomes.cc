#include "model/eval/outcomes.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "model/base/rng.h"
#include "model/data/batches.h"
#include "model/engine/cost.h"
#include "model/math/elementwise.h"
#include "model/net/kinds.h"

namespace mre {
namespace {

constexpr int64_t kRows = 256;  // at once

// -log of the softmax of the label's logit.
double CrossEntropy(const float* logits, int64_t classes, int64_t label) {
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - largest);
  return std::log(sum) + largest - logits[label];
}

// The experts of step t+1 of row b, some of which may be -1: none.
std::span<const int32_t> StepExperts(const Exits& batch, int64_t b, int64_t t) {
  const int64_t pair = b * batch.steps + t;
  if (!batch.expert_begin.empty()) {
    const int64_t begin = batch.expert_begin[pair];
    return batch.experts.subspan(begin, batch.expert_begin[pair + 1] - begin);
  }
  const int64_t each =
      static_cast<int64_t>(batch.experts.size()) / (batch.rows * batch.steps);
  return batch.experts.subspan(pair * each, each);
}

// Appends a row's experts, the one of largest weight of each step, what it
// spent, and where it ended.
void AppendSteps(const Exits& batch, int64_t b, const Cost& cost,
                 Outcomes& outcomes) {
  const int64_t exits = batch.steps + 1;
  outcomes.macs.push_back(static_cast<double>(cost.After(0)));
  int64_t last = batch.steps;
  for (int64_t t = 0; t < batch.steps; ++t) {
    const int64_t before = static_cast<int64_t>(outcomes.experts.size());
    for (const int32_t expert : StepExperts(batch, b, t)) {
      if (expert >= 0) outcomes.experts.push_back(expert);
    }
    const int64_t after = static_cast<int64_t>(outcomes.experts.size());
    outcomes.expert_begin.push_back(after);
    const int32_t first = after > before ? outcomes.experts[before] : -1;
    outcomes.path.push_back(
        batch.path.empty() ? first : batch.path[b * batch.steps + t]);
    outcomes.macs.push_back(
        batch.macs.empty()
            ? outcomes.macs.back() +
                  static_cast<double>(cost.Step(after - before))
            : static_cast<double>(batch.macs[b * exits + t + 1]));
    if (!batch.weights.empty() && batch.weights[b * exits + t] > 0) last = t;
  }
  outcomes.last.push_back(static_cast<int32_t>(last));
}

// Appends one batch's rows.
void Append(const Exits& batch, const Cost& cost, int64_t classes,
            const std::vector<uint8_t>& labels, Outcomes& outcomes) {
  const int64_t exits = batch.steps + 1;
  std::vector<float> p(classes);
  for (int64_t at = 0; at < batch.rows * exits; ++at) {
    const float* logits = batch.logits.data() + at * classes;
    const int64_t label = labels[at / exits];
    Softmax(logits, classes, p.data());
    const auto best = std::max_element(p.begin(), p.end());
    outcomes.top.push_back(static_cast<int32_t>(best - p.begin()));
    outcomes.right.push_back(best - p.begin() == label ? 1 : 0);
    outcomes.confidence.push_back(*best);
    outcomes.loss.push_back(CrossEntropy(logits, classes, label));
  }
  outcomes.coverage.insert(outcomes.coverage.end(), batch.coverage.begin(),
                           batch.coverage.end());
  for (int64_t b = 0; b < batch.rows; ++b) {
    AppendSteps(batch, b, cost, outcomes);
  }
}

}  // namespace

std::vector<double> Outcomes::last_loss() const {
  std::vector<double> last;
  for (int64_t b = 0; b < inputs; ++b) {
    last.push_back(loss[b * exits() + steps]);
  }
  return last;
}

Outcomes Observe(const Model& model, const Split& split,
                 const PassOptions& pass) {
  const ModelConfig& config = model.config;
  const std::unique_ptr<Network> network = NewNetwork(config);
  Batches batches(split, config.input, {});
  const Cost cost = CostOf(config);
  Outcomes outcomes;
  outcomes.inputs = split.size();
  outcomes.expert_begin = {0};
  outcomes.steps = pass.steps;
  for (int64_t begin = 0; begin < split.size(); begin += kRows) {
    const int64_t end = std::min(begin + kRows, split.size());
    batches.LoadRange(begin, end);
    PassOptions options = pass;
    options.seed = Mix64(pass.seed + begin);
    const Exits exits =
        network->Forward(model.params, batches.x(), end - begin, options);
    Append(exits, cost, config.num_classes(), batches.labels(), outcomes);
  }
  return outcomes;
}

}  // namespace mre
