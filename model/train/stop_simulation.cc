#include "model/train/stop_simulation.h"

namespace mre {

std::vector<int32_t> StepsUsed(const Budget& budget, const Cost& cost,
                               const Outcomes& outcomes) {
  std::vector<int32_t> used;
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    Progress progress;
    progress.next_step_macs = cost.OneStep();
    const int64_t first = b * outcomes.exits();
    for (int64_t t = 0;; ++t) {
      const int64_t at = first + t;
      const bool same = t > 0 && outcomes.top[at] == outcomes.top[at - 1];
      progress.step = static_cast<uint32_t>(t);
      progress.macs = cost.After(t);
      progress.confidence = outcomes.confidence[at];
      progress.ray_coverage = outcomes.coverage[at];
      progress.stable_steps = same ? progress.stable_steps + 1 : 0;
      progress.exhausted = t == outcomes.steps;
      if (CheckBudget(budget, progress) != StopReason::kNone) break;
    }
    used.push_back(static_cast<int32_t>(progress.step));
  }
  return used;
}

StopQuality QualityAtStop(const std::vector<int32_t>& steps_used,
                          const Cost& cost, const Outcomes& outcomes) {
  StopQuality quality;
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    const int64_t at = b * outcomes.exits() + steps_used[b];
    quality.steps += steps_used[b];
    quality.macs += static_cast<double>(cost.After(steps_used[b]));
    quality.accuracy += outcomes.right[at];
    quality.loss += outcomes.loss[at];
  }
  const double inputs = static_cast<double>(outcomes.inputs);
  quality.steps /= inputs;
  quality.macs /= inputs;
  quality.accuracy /= inputs;
  quality.loss /= inputs;
  return quality;
}

std::vector<CurvePoint> AnytimeCurve(std::span<const double> confidences,
                                     const Cost& cost,
                                     const Outcomes& outcomes) {
  std::vector<CurvePoint> curve;
  for (const double confidence : confidences) {
    Budget budget;
    budget.min_confidence = static_cast<float>(confidence);
    curve.push_back(
        {confidence,
         QualityAtStop(StepsUsed(budget, cost, outcomes), cost, outcomes)});
  }
  return curve;
}

}  // namespace mre
