#include "server/schedule/step_policy.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "model/engine/engine.h"

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

TEST(StepPolicyTest, FinishesARowThatHasWhatItIsGranted) {
  RowSnapshot row = Running();
  row.step_cap = 4;
  EXPECT_EQ(DecideRow(row).action, RowAction::kStep);
  for (const uint32_t cap : {3u, 2u, 0u}) {
    row.step_cap = cap;
    EXPECT_EQ(DecideRow(row).action, RowAction::kFinish);
    EXPECT_EQ(DecideRow(row).reason, StopReason::kOverload);
  }
  row.begun = false;  // step 0 always runs
  EXPECT_EQ(DecideRow(row).action, RowAction::kStep);
}

TEST(StepPolicyTest, WhatARowAskedForComesBeforeWhatItIsGranted) {
  RowSnapshot row = Running();
  row.step_cap = 3;
  row.drain_expired = true;
  EXPECT_EQ(DecideRow(row).reason, StopReason::kOverload);
  row.stop_requested = true;
  EXPECT_EQ(DecideRow(row).reason, StopReason::kClientStop);
  row.progress.exhausted = true;
  EXPECT_EQ(DecideRow(row).reason, StopReason::kExhausted);
  row.budget.max_steps = 3;
  EXPECT_EQ(DecideRow(row).reason, StopReason::kMaxSteps);
}

TEST(StepPolicyTest, AFullOutboxPausesButNeverKeepsARowFromFinishing) {
  RowSnapshot row = Running();
  row.outbox_full = true;
  EXPECT_EQ(DecideRow(row).action, RowAction::kPause);
  row.stop_requested = true;
  EXPECT_EQ(DecideRow(row).action, RowAction::kFinish);
}

TEST(StepsAheadTest, GoesAsFarAsItsLimitsWhereNobodyLooks) {
  RowSnapshot row = Running();
  EXPECT_EQ(StepsAhead(row), Engine::kMostAhead);
  row.budget.max_steps = 8;
  EXPECT_EQ(StepsAhead(row), 5);
  row.progress.macs = 1000;
  row.progress.next_step_macs = 100;
  row.budget.max_macs = 1399;
  EXPECT_EQ(StepsAhead(row), 3);
  row.budget.max_macs = 1000'000;
  EXPECT_EQ(StepsAhead(row), 5);
}

TEST(StepsAheadTest, GoesFurtherWhereNothingLooks) {
  RowSnapshot row = Running();
  row.quiet = true;
  EXPECT_EQ(StepsAhead(row), Engine::kMostQuiet);
  row.budget.max_steps = 20;
  EXPECT_EQ(StepsAhead(row), 17);
}

TEST(IsQuietTest, UnlessSomebodyOrALimitLooksAtPredictions) {
  Budget budget;
  budget.max_steps = 3;
  budget.max_macs = 1000'000;
  EXPECT_TRUE(IsQuiet(budget, /*watched=*/false));
  EXPECT_FALSE(IsQuiet(budget, /*watched=*/true));
  const std::vector<void (*)(Budget&)> rules = {
      [](Budget& b) { b.max_time = absl::Seconds(1); },
      [](Budget& b) { b.min_confidence = 0.9f; },
      [](Budget& b) { b.min_ray_coverage = 0.5f; },
      [](Budget& b) { b.stable_steps = 2; }};
  for (const auto& rule : rules) {
    Budget looks = budget;
    rule(looks);
    EXPECT_FALSE(IsQuiet(looks, /*watched=*/false));
  }
}

TEST(StepsAheadTest, GoesNoFurtherThanWhatIsGranted) {
  RowSnapshot row = Running();
  row.step_cap = 8;
  EXPECT_EQ(StepsAhead(row), 5);
  row.budget.max_steps = 6;
  EXPECT_EQ(StepsAhead(row), 3);
  row.step_cap = 4;
  EXPECT_EQ(StepsAhead(row), 1);
}

TEST(StepsLeftTest, AreThoseOfTheNearestLimit) {
  Progress progress;
  progress.step = 3;
  progress.macs = 1000;
  progress.next_step_macs = 100;
  Budget budget;
  EXPECT_EQ(StepsLeft(budget, progress, 29), 29);
  budget.max_steps = 13;
  EXPECT_EQ(StepsLeft(budget, progress, 29), 10);
  EXPECT_EQ(StepsLeft(budget, progress, 9), 9);
  budget.max_macs = 1599;
  EXPECT_EQ(StepsLeft(budget, progress, 29), 5);
  budget.max_macs = 1000;
  EXPECT_EQ(StepsLeft(budget, progress, 29), 0);
}

TEST(StepsAheadTest, OfAWatchedRowAreAsManyAsItHasRun) {
  RowSnapshot row = Running();
  row.watched = true;
  row.rows = 64;
  const std::vector<std::pair<uint32_t, int>> want = {
      {0, 1}, {1, 1}, {2, 2}, {4, 4}, {8, 8}, {20, Engine::kMostAhead}};
  for (const auto& [step, ahead] : want) {
    row.progress.step = step;
    EXPECT_EQ(StepsAhead(row), ahead) << step;
  }
}

TEST(StepsAheadTest, OfAWatchedRowAreNoMoreThanThereAreRows) {
  RowSnapshot row = Running();
  row.progress.step = 20;
  row.watched = true;
  EXPECT_EQ(StepsAhead(row), 1);
  row.rows = 3;
  EXPECT_EQ(StepsAhead(row), 3);
  row.watched = false;
  EXPECT_EQ(StepsAhead(row), Engine::kMostAhead);
}

TEST(StepsAheadTest, StayWithinTheTimeAtThePaceSoFar) {
  RowSnapshot row = Running();
  row.progress.step = 19;
  row.progress.elapsed = absl::Milliseconds(20);
  row.budget.max_time = absl::Milliseconds(25);
  EXPECT_EQ(StepsAhead(row), 5);
  row.budget.max_time = absl::Milliseconds(20);
  EXPECT_EQ(StepsAhead(row), 1);
  row.budget.max_time = absl::Hours(1);
  EXPECT_EQ(StepsAhead(row), Engine::kMostAhead);
}

TEST(StepsAheadTest, OfARowThatAPredictionOrTheTimeMayStopAreHalf) {
  const std::vector<void (*)(Budget&)> rules = {
      [](Budget& budget) { budget.min_confidence = 0.9f; },
      [](Budget& budget) { budget.min_ray_coverage = 0.5f; },
      [](Budget& budget) { budget.stable_steps = 2; },
      [](Budget& budget) { budget.max_time = absl::Seconds(1); }};
  for (const auto& rule : rules) {
    for (const bool watched : {false, true}) {
      RowSnapshot row = Running();
      row.watched = watched;
      row.rows = 64;
      rule(row.budget);
      EXPECT_EQ(StepsAhead(row), 1);
      row.progress.step = 7;
      EXPECT_EQ(StepsAhead(row), 3);
    }
  }
}

TEST(MostAheadTest, KeepsAPassShort) {
  EXPECT_EQ(MostAhead(1, absl::Microseconds(100)), Engine::kMostQuiet);
  EXPECT_EQ(MostAhead(1, absl::Milliseconds(3)), 3);
  EXPECT_EQ(MostAhead(256, absl::Microseconds(10)), 3);
  EXPECT_EQ(MostAhead(100'000, absl::Microseconds(1)), 1);
  EXPECT_EQ(MostAhead(1, absl::ZeroDuration()), Engine::kMostQuiet);
}

}  // namespace
}  // namespace mre
