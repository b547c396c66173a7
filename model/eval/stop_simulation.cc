#include "model/eval/stop_simulation.h"

namespace mre {

std::vector<int32_t> StepsUsed(const Budget& budget, const Outcomes& outcomes) {
  std::vector<int32_t> used;
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    Progress progress;
    const int64_t first = b * outcomes.exits();
    for (int64_t t = 0;; ++t) {
      const int64_t at = first + t;
      const bool same = t > 0 && outcomes.top[at] == outcomes.top[at - 1];
      progress.step = static_cast<uint32_t>(t);
      progress.exhausted = t == outcomes.last[b];
      progress.macs = static_cast<uint64_t>(outcomes.macs[at]);
      progress.next_step_macs =
          progress.exhausted
              ? 0
              : static_cast<uint64_t>(outcomes.macs[at + 1]) - progress.macs;
      progress.confidence = outcomes.confidence[at];
      progress.ray_coverage = outcomes.coverage[at];
      progress.stable_steps = same ? progress.stable_steps + 1 : 0;
      if (CheckBudget(budget, progress) != StopReason::kNone) break;
    }
    used.push_back(static_cast<int32_t>(progress.step));
  }
  return used;
}

StopQuality QualityAtStop(const std::vector<int32_t>& steps_used,
                          const Outcomes& outcomes) {
  StopQuality quality;
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    const int64_t at = b * outcomes.exits() + steps_used[b];
    quality.steps += steps_used[b];
    quality.macs += outcomes.macs[at];
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
                                     const Outcomes& outcomes) {
  std::vector<CurvePoint> curve;
  for (const double confidence : confidences) {
    Budget budget;
    budget.min_confidence = static_cast<float>(confidence);
    curve.push_back(
        {confidence, QualityAtStop(StepsUsed(budget, outcomes), outcomes)});
  }
  return curve;
}

}  // namespace mre
