#include "server/schedule/step_policy.h"

#include <algorithm>

#include "model/engine/engine.h"

namespace mre {
namespace {

constexpr int64_t kMost = Engine::kMostQuiet;
// That a pass over rows which go ahead shall take, at most.
constexpr absl::Duration kPass = absl::Milliseconds(10);

// How many times `part` fits into `whole`, as far as that matters here.
int64_t Fits(absl::Duration part, absl::Duration whole) {
  if (part <= absl::ZeroDuration()) return kMost;
  const double times = absl::FDivDuration(whole, part);
  return static_cast<int64_t>(std::clamp<double>(times, 0, kMost));
}

}  // namespace

int64_t StepsLeft(const Budget& budget, const Progress& progress,
                  int64_t most) {
  if (budget.max_steps > 0) {
    most = std::min<int64_t>(most, budget.max_steps - progress.step);
  }
  if (budget.max_macs > 0 && progress.next_step_macs > 0) {
    const uint64_t steps =
        (budget.max_macs - progress.macs) / progress.next_step_macs;
    if (steps < static_cast<uint64_t>(most)) most = static_cast<int64_t>(steps);
  }
  return most;
}

bool IsQuiet(const Budget& budget, bool watched) {
  return !watched && budget.max_time <= absl::ZeroDuration() &&
         budget.min_confidence <= 0 && budget.min_ray_coverage <= 0 &&
         budget.stable_steps == 0;
}

int StepsAhead(const RowSnapshot& row) {
  const Budget& budget = row.budget;
  const Progress& progress = row.progress;
  const int64_t most = row.quiet ? Engine::kMostQuiet : Engine::kMostAhead;
  int64_t left =
      StepsLeft(budget, progress,
                std::min<int64_t>(most, int64_t{row.step_cap} - progress.step));
  if (budget.max_time > absl::ZeroDuration()) {
    const absl::Duration pace = progress.elapsed / (progress.step + 1.0);
    left = std::min(left, Fits(pace, budget.max_time - progress.elapsed));
  }
  const bool may_stop = budget.max_time > absl::ZeroDuration() ||
                        budget.min_confidence > 0 ||
                        budget.min_ray_coverage > 0 || budget.stable_steps > 0;
  int64_t trusted = most;
  if (row.watched) trusted = std::min<int64_t>(progress.step, row.rows);
  if (may_stop) trusted = std::min<int64_t>(trusted, progress.step / 2);
  return static_cast<int>(
      std::clamp<int64_t>(std::min(trusted, left), 1, most));
}

int MostAhead(int64_t rows, absl::Duration step) {
  return static_cast<int>(std::max<int64_t>(Fits(step * rows, kPass), 1));
}

RowDecision DecideRow(const RowSnapshot& row) {
  if (row.cancelled) return {RowAction::kDrop, StopReason::kNone};
  if (!row.begun) return {RowAction::kStep, StopReason::kNone};
  const StopReason reason = CheckBudget(row.budget, row.progress);
  if (reason != StopReason::kNone) return {RowAction::kFinish, reason};
  if (row.stop_requested) {
    return {RowAction::kFinish, StopReason::kClientStop};
  }
  if (row.progress.step >= row.step_cap) {
    return {RowAction::kFinish, StopReason::kOverload};
  }
  if (row.drain_expired) return {RowAction::kFinish, StopReason::kDraining};
  if (row.outbox_full) return {RowAction::kPause, StopReason::kNone};
  return {RowAction::kStep, StopReason::kNone};
}

}  // namespace mre
