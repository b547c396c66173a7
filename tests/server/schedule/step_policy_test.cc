#include "server/schedule/step_policy.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace mre {
namespace {

RowSnapshot Running() {
  RowSnapshot row;
  row.begun = true;
  row.progress.step = 3;
  row.progress.confidence = 0.5f;
  return row;
}

TEST(StepPolicyTest, StepsARowThatNothingHolds) {
  EXPECT_EQ(DecideRow(Running()).action, RowAction::kStep);
}

TEST(StepPolicyTest, RunsStepZeroWhateverElseHolds) {
  RowSnapshot row;
  row.begun = false;
  row.stop_requested = true;
  row.drain_expired = true;
  row.outbox_full = true;
  row.budget.max_time = absl::Nanoseconds(1);
  EXPECT_EQ(DecideRow(row).action, RowAction::kStep);
}

TEST(StepPolicyTest, DropsACancelledRowEvenBeforeStepZero) {
  RowSnapshot row;
  row.cancelled = true;
  EXPECT_EQ(DecideRow(row).action, RowAction::kDrop);
  row = Running();
  row.cancelled = true;
  row.stop_requested = true;
  EXPECT_EQ(DecideRow(row).action, RowAction::kDrop);
}

TEST(StepPolicyTest, FinishesForTheReasonThatHolds) {
  RowSnapshot stopped = Running();
  stopped.stop_requested = true;
  EXPECT_EQ(DecideRow(stopped).reason, StopReason::kClientStop);

  RowSnapshot drained = Running();
  drained.drain_expired = true;
  EXPECT_EQ(DecideRow(drained).reason, StopReason::kDraining);

  RowSnapshot spent = Running();
  spent.budget.max_steps = 3;
  EXPECT_EQ(DecideRow(spent).reason, StopReason::kMaxSteps);
  EXPECT_EQ(DecideRow(spent).action, RowAction::kFinish);
}

TEST(StepPolicyTest, ABudgetComesBeforeAStopAndAStopBeforeADrain) {
  RowSnapshot row = Running();
  row.drain_expired = true;
  row.stop_requested = true;
  EXPECT_EQ(DecideRow(row).reason, StopReason::kClientStop);
  row.budget.min_confidence = 0.5f;
  EXPECT_EQ(DecideRow(row).reason, StopReason::kConfidence);
}

TEST(StepPolicyTest, AFullOutboxPausesButNeverKeepsARowFromFinishing) {
  RowSnapshot row = Running();
  row.outbox_full = true;
  EXPECT_EQ(DecideRow(row).action, RowAction::kPause);
  row.stalled = true;
  EXPECT_EQ(DecideRow(row).action, RowAction::kAbandon);
  row.stop_requested = true;
  EXPECT_EQ(DecideRow(row).action, RowAction::kFinish);
}

}  // namespace
}  // namespace mre
