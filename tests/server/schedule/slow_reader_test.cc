// Rows whose readers are slow, or never read.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/schedule/scheduler_fixture.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

TEST_F(SchedulerTest, ASlowReaderPausesItsRowAndNobodyElses) {
  Scheduler scheduler({.clock = &clock_});
  auto slow = MakePaused(scheduler);
  auto other = Make({});
  ASSERT_THAT(scheduler.Submit(other->request), IsOk());
  EXPECT_EQ(other->Await().size(), kAllSteps + 1);
  // It may be told of its last step before it is counted out.
  AwaitTrue([&] { return scheduler.active_rows() == 1; });
  // It goes on where it paused, and nothing is missing.
  while (slow->size() < kAllSteps + 1) slow->TakeNow();
  const std::vector<Prediction> got = slow->Await();
  for (uint32_t step = 0; step <= kAllSteps; ++step) {
    EXPECT_EQ(got[step].step, step);
  }
}

TEST_F(SchedulerTest, PausedRowsHoldNobodysPlace) {
  Scheduler scheduler({.max_active_rows = 2, .clock = &clock_});
  auto slow = MakePaused(scheduler, {}, 2);
  auto other = Make(Steps(5), Delivery::kFinal, 2);
  ASSERT_THAT(scheduler.Submit(other->request), IsOk());
  EXPECT_EQ(other->Await().size(), 2u);
  AwaitTrue([&] { return scheduler.active_rows() == 2; });
  slow->request->Cancel();
}

// Each submission once put off the look at who may be admitted.
TEST_F(SchedulerTest, AStreamOfRequestsDoesNotWaitBehindPausedRows) {
  Scheduler scheduler({.max_active_rows = 2, .clock = &clock_});
  auto slow = MakePaused(scheduler, {}, 2);
  std::vector<std::unique_ptr<Collector>> others;
  for (int i = 0; i < 500 && (i == 0 || others[0]->size() == 0); ++i) {
    others.push_back(Make(Steps(1), Delivery::kFinal));
    ASSERT_THAT(scheduler.Submit(others.back()->request), IsOk());
    absl::SleepFor(absl::Milliseconds(1));  // well below the engine's poll
  }
  EXPECT_GT(others[0]->size(), 0u) << "while " << others.size() << " came";
  slow->request->Cancel();
}

TEST_F(SchedulerTest, AnInputIsFreedOnceItsRowsHaveBegun) {
  Scheduler scheduler({.clock = &clock_});
  auto slow = Make({}, Delivery::kAll, 2);
  slow->StopTaking();
  ASSERT_THAT(scheduler.Submit(slow->request), IsOk());
  AwaitTrue([&] { return telemetry_.row_steps >= 2; });
  EXPECT_FALSE(slow->request->holds_input());
  slow->request->Cancel();
}

TEST_F(SchedulerTest, RowsAliveAreBoundedHoweverManyPause) {
  Scheduler scheduler(
      {.max_active_rows = 1, .max_queued_rows = 2, .clock = &clock_});
  std::vector<std::unique_ptr<Collector>> slow;
  for (int i = 0; i < 5; ++i) {
    slow.push_back(Make({}));
    slow.back()->StopTaking();
    ASSERT_THAT(scheduler.Submit(slow.back()->request), IsOk());
    if (i < 3) {
      AwaitTrue([&] { return scheduler.active_rows() > i; });
    }
  }
  EXPECT_EQ(scheduler.active_rows(), 3);
  EXPECT_EQ(scheduler.queued_rows(), 2);
  for (const auto& collector : slow) collector->request->Cancel();
}

TEST_F(SchedulerTest, APausedRowStillStopsForItsTime) {
  Scheduler scheduler({.clock = &clock_});
  Budget budget;
  budget.max_time = absl::Milliseconds(10);
  auto slow = MakePaused(scheduler, budget);
  clock_.Advance(absl::Milliseconds(11));
  AwaitIdle(scheduler);
  slow->TakeNow();
  EXPECT_EQ(slow->Await().back().stop_reason, StopReason::kMaxTime);
}

// While others step, paused rows are looked at now and then only.
TEST_F(SchedulerTest, APausedRowStopsForItsTimeWhileAnotherSteps) {
  std::atomic<int64_t> before = 1'000'000;  // step at which the other begins
  int stopped = 0;
  telemetry_.after_step = [&](int64_t step) {
    if (step == before + 2) clock_.Advance(absl::Milliseconds(11));
    if (step != before + 5) return;
    absl::MutexLock lock(&telemetry_.mu);
    stopped = telemetry_.finished[StopReason::kMaxTime];
  };
  Scheduler scheduler({.clock = &clock_});
  Budget budget;
  budget.max_time = absl::Milliseconds(10);
  auto slow = MakePaused(scheduler, budget);
  before = telemetry_.steps.load();
  // Nobody takes anything of it before its end, so nothing wakes the engine.
  auto other = Make(NeverSure(), Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(other->request), IsOk());
  other->Await();
  EXPECT_EQ(stopped, 1);
}

}  // namespace
}  // namespace mre
