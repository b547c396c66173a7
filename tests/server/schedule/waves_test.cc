// Rows whose steps are computed ahead of being shown.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/server/schedule/scheduler_fixture.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

TEST_F(SchedulerTest, WhatIsComputedAheadOfAStopIsCountedApart) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make(NeverSure(), Delivery::kFinal);
  telemetry_.after_step = [&](int64_t step) {
    if (step == 21) collector->request->Stop();  // step 0 and 20 experts
  };
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  EXPECT_EQ(collector->Await().back().step, 20u);
  AwaitIdle(scheduler);
  const Cost& cost = LongModel()->cost();
  EXPECT_EQ(telemetry_.activations, 19 + Engine::kMostAhead);
  EXPECT_EQ(telemetry_.in_vain, (Engine::kMostAhead - 1) * cost.OneStep());
  EXPECT_EQ(telemetry_.finished_in_vain, telemetry_.in_vain);
  EXPECT_EQ(telemetry_.total_macs, cost.After(20));
}

TEST_F(SchedulerTest, WhatIsComputedAheadOfACancelledRowIsCountedToo) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make(NeverSure(), Delivery::kFinal);
  telemetry_.after_step = [&](int64_t step) {
    if (step == 21) collector->request->Cancel();
  };
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  AwaitTrue([&] { return telemetry_.in_vain > 0; });
  AwaitIdle(scheduler);
  EXPECT_EQ(telemetry_.in_vain,
            (Engine::kMostAhead - 1) * LongModel()->cost().OneStep());
  EXPECT_EQ(telemetry_.finished_in_vain, 0u);
}

// Nobody waits for the steps of the one row here, but somebody might begin.
TEST_F(SchedulerTest, APassGoesNoFurtherThanItMayTake) {
  Scheduler scheduler({.clock = &clock_});
  telemetry_.after_expert = [&] { clock_.Advance(absl::Milliseconds(5)); };
  std::vector<int64_t> activations;  // after each pass
  telemetry_.after_step = [&](int64_t) {
    activations.push_back(telemetry_.activations);
  };
  auto collector = Make(Steps(20), Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  EXPECT_EQ(collector->Await().back().step, 20u);
  AwaitIdle(scheduler);
  // The first step measures: 5 ms. Two of them are 10 ms.
  std::vector<int64_t> want = {0, 1};
  while (want.back() < 20)
    want.push_back(std::min<int64_t>(want.back() + 2, 20));
  EXPECT_EQ(activations, want);
}

TEST_F(SchedulerTest, ARowThatNobodyLooksAtGoesFarAtOnce) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make({}, Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  const std::vector<Prediction> got = collector->Await();
  AwaitIdle(scheduler);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].step, kAllSteps);
  EXPECT_EQ(got[0].macs, LongModel()->cost().After(kAllSteps));
  // Step 0, the one that measures, and waves of the 79 that are left.
  EXPECT_EQ(telemetry_.steps,
            2 + (kAllSteps - 1 + Engine::kMostQuiet - 1) / Engine::kMostQuiet);
  EXPECT_EQ(telemetry_.activations, kAllSteps);
  EXPECT_EQ(telemetry_.total_macs, got[0].macs);
  EXPECT_EQ(telemetry_.in_vain, 0u);
}

TEST_F(SchedulerTest, EveryRowIsCountedOnceAtEachStepItReached) {
  Scheduler scheduler({.clock = &clock_});
  telemetry_.after_expert = [&] { clock_.Advance(absl::Microseconds(1)); };
  for (const Delivery delivery : {Delivery::kFinal, Delivery::kAll}) {
    for (const uint32_t steps : {1u, 7u, 30u}) {
      auto collector = Make(Steps(steps), delivery, /*rows=*/3);
      ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
      EXPECT_EQ(collector->Await().back().step, steps);
    }
  }
  AwaitIdle(scheduler);
  EXPECT_LT(telemetry_.computed, telemetry_.steps) << "no row was ahead";
  absl::MutexLock lock(&telemetry_.mu);
  ASSERT_EQ(telemetry_.reached.size(), 31u);
  for (const auto& [step, rows] : telemetry_.reached) {
    EXPECT_EQ(rows, 3 * (step <= 1 ? 6 : step <= 7 ? 4 : 2)) << step;
  }
  EXPECT_GT(telemetry_.elapsed, absl::ZeroDuration());
}

TEST_F(SchedulerTest, AWaveOvershootsTheTimeByAStepAtMost) {
  Scheduler scheduler({.clock = &clock_});
  telemetry_.after_expert = [&] { clock_.Advance(absl::Milliseconds(1)); };
  int64_t longest = 0;  // of its waves
  telemetry_.after_step = [&, before = int64_t{0}](int64_t) mutable {
    longest = std::max(longest, telemetry_.activations - before);
    before = telemetry_.activations;
  };
  Budget budget;
  budget.max_time = absl::Microseconds(20'500);
  auto collector = Make(budget, Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  const Prediction last = collector->Await().back();
  AwaitIdle(scheduler);
  EXPECT_EQ(last.stop_reason, StopReason::kMaxTime);
  EXPECT_LE(last.elapsed, absl::Milliseconds(22));
  EXPECT_GT(longest, 1);
}

// It joins while another row's next wave is due.
TEST_F(SchedulerTest, AFirstPredictionDoesNotWaitForAWave) {
  Scheduler scheduler({.clock = &clock_});
  auto ahead = Make({}, Delivery::kFinal);
  auto newcomer = Make(Steps(1), Delivery::kAll);
  telemetry_.after_step = [&](int64_t step) {
    if (step == 2) {
      ASSERT_THAT(scheduler.Submit(newcomer->request), IsOk());
    }
  };
  // At the first expert after it began, which waits until it is told.
  std::atomic<bool> looked{false};
  std::atomic<size_t> seen{0};
  telemetry_.after_expert = [&] {
    if (telemetry_.started < 2 || looked.exchange(true)) return;
    AwaitTrue([&] { return newcomer->size() > 0; });
    seen = newcomer->size();
  };
  ASSERT_THAT(scheduler.Submit(ahead->request), IsOk());
  EXPECT_EQ(newcomer->Await().size(), 2u);
  EXPECT_EQ(seen, 1u) << "its step 0, when the next wave's experts ran";
  ahead->request->Cancel();
}

// Three rows, so that they are computed ahead though they are watched.
TEST_F(SchedulerTest, RowsThatPauseInAWaveGoOnInIt) {
  Scheduler scheduler({.clock = &clock_});
  auto slow = MakePaused(scheduler, {}, 3);
  const int64_t shown = 3 * (int64_t{kOutboxSteps} - 1);  // but for step 0
  EXPECT_GT(telemetry_.activations, shown) << "none is in a wave";
  while (slow->size() < 3 * (kAllSteps + 1)) slow->TakeNow();
  AwaitIdle(scheduler);
  EXPECT_EQ(telemetry_.activations, 3 * kAllSteps);
  EXPECT_EQ(telemetry_.in_vain, 0u);
}

TEST_F(SchedulerTest, RowsCancelledInAWaveLeaveTheRestInVain) {
  Scheduler scheduler({.clock = &clock_});
  auto slow = MakePaused(scheduler, {}, 3);
  slow->request->Cancel();
  AwaitIdle(scheduler);
  const Cost& cost = LongModel()->cost();
  EXPECT_GT(telemetry_.in_vain, 0u);
  // What ran was shown or in vain.
  EXPECT_EQ(telemetry_.total_macs + telemetry_.in_vain,
            3 * cost.After(0) + telemetry_.activations * cost.OneStep());
}

}  // namespace
}  // namespace mre
