#include "server/schedule/step_policy.h"

namespace mre {

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
