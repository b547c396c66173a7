#include "server/schedule/step_policy.h"

#include <algorithm>

#include "model/engine/engine.h"

namespace mre {
namespace {

constexpr int64_t kMost = Engine::kMostAhead;
// A few milliseconds of one core.
constexpr uint64_t kPassMacs = 200'000'000;

}  // namespace

int StepsAhead(const RowSnapshot& row) {
  const Budget& budget = row.budget;
  const Progress& progress = row.progress;
  int64_t left = kMost;
  if (budget.max_steps > 0) {
    left = std::min<int64_t>(left, budget.max_steps - progress.step);
  }
  if (budget.max_macs > 0 && progress.next_step_macs > 0) {
    const uint64_t steps =
        (budget.max_macs - progress.macs) / progress.next_step_macs;
    left = std::min<int64_t>(left, std::min<uint64_t>(steps, kMost));
  }
  const bool may_stop = budget.max_time > absl::ZeroDuration() ||
                        budget.min_confidence > 0 ||
                        budget.min_ray_coverage > 0 || budget.stable_steps > 0;
  int64_t trusted = kMost;
  if (row.watched) trusted = progress.step;
  if (may_stop) trusted = progress.step / 2;
  return static_cast<int>(
      std::clamp<int64_t>(std::min(trusted, left), 1, kMost));
}

int MostAhead(int64_t rows, uint64_t step_macs) {
  const uint64_t pass = step_macs * static_cast<uint64_t>(rows);
  return pass == 0 ? kMost
                   : static_cast<int>(
                         std::clamp<uint64_t>(kPassMacs / pass, 1, kMost));
}

RowDecision DecideRow(const RowSnapshot& row) {
  if (row.cancelled) return {RowAction::kDrop, StopReason::kNone};
  if (!row.begun) return {RowAction::kStep, StopReason::kNone};
  const StopReason reason = CheckBudget(row.budget, row.progress);
  if (reason != StopReason::kNone) return {RowAction::kFinish, reason};
  if (row.stop_requested) {
    return {RowAction::kFinish, StopReason::kClientStop};
  }
  if (row.drain_expired) return {RowAction::kFinish, StopReason::kDraining};
  if (row.outbox_full) {
    return {row.stalled ? RowAction::kAbandon : RowAction::kPause,
            StopReason::kNone};
  }
  return {RowAction::kStep, StopReason::kNone};
}

}  // namespace mre
