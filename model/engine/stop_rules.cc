#include "model/engine/stop_rules.h"

namespace mre {

absl::string_view StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kNone:
      return "none";
    case StopReason::kMaxSteps:
      return "max_steps";
    case StopReason::kMaxMacs:
      return "max_macs";
    case StopReason::kMaxTime:
      return "max_time";
    case StopReason::kConfidence:
      return "confidence";
    case StopReason::kRayCoverage:
      return "ray_coverage";
    case StopReason::kStable:
      return "stable";
    case StopReason::kClientStop:
      return "client_stop";
    case StopReason::kExhausted:
      return "exhausted";
    case StopReason::kOverload:
      return "overload";
    case StopReason::kDraining:
      return "draining";
  }
  return "unknown";
}

StopReason CheckBudget(const Budget& budget, const Progress& progress) {
  if (budget.max_steps > 0 && progress.step >= budget.max_steps) {
    return StopReason::kMaxSteps;
  }
  if (budget.max_macs > 0 && !progress.exhausted &&
      progress.macs + progress.next_step_macs > budget.max_macs) {
    return StopReason::kMaxMacs;
  }
  if (budget.max_time > absl::ZeroDuration() &&
      progress.elapsed >= budget.max_time) {
    return StopReason::kMaxTime;
  }
  if (budget.min_confidence > 0 &&
      progress.confidence >= budget.min_confidence) {
    return StopReason::kConfidence;
  }
  if (budget.min_ray_coverage > 0 &&
      progress.ray_coverage >= budget.min_ray_coverage) {
    return StopReason::kRayCoverage;
  }
  if (budget.stable_steps > 0 && progress.stable_steps >= budget.stable_steps) {
    return StopReason::kStable;
  }
  if (progress.exhausted) return StopReason::kExhausted;
  return StopReason::kNone;
}

}  // namespace mre
