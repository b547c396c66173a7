#include "server/schedule/scheduler.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/schedule/scheduler_fixture.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::HasSubstr;

TEST_F(SchedulerTest, StreamsEveryStepInOrderWithExactMacs) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make(Steps(10));
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  const std::vector<Prediction> got = collector->Await();
  ASSERT_EQ(got.size(), 11u);
  const Cost cost = LongModel()->cost();
  for (uint32_t step = 0; step <= 10; ++step) {
    EXPECT_EQ(got[step].step, step);
    EXPECT_EQ(got[step].macs, cost.After(step));
    EXPECT_EQ(got[step].final(), step == 10);
    EXPECT_EQ(got[step].expert >= 0, step > 0);
  }
  EXPECT_EQ(got.back().stop_reason, StopReason::kMaxSteps);
  AwaitIdle(scheduler);
  EXPECT_EQ(telemetry_.activations, 10);
  EXPECT_EQ(telemetry_.total_macs, cost.After(10));
}

TEST_F(SchedulerTest, ARowWithoutLimitsRunsEveryExpertOnce) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make({});
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  const std::vector<Prediction> got = collector->Await();
  ASSERT_EQ(got.size(), kAllSteps + 1);
  EXPECT_EQ(got.back().stop_reason, StopReason::kExhausted);
  std::map<int64_t, int> runs;
  for (const Prediction& p : got) ++runs[p.expert];
  EXPECT_EQ(runs.size(), kAllSteps + 1);  // each expert, and step 0's -1
}

TEST_F(SchedulerTest, RefusesWhatTheQueueCannotHoldAndTakesAllOrNothing) {
  Scheduler scheduler(
      {.max_active_rows = 1, .max_queued_rows = 4, .clock = &clock_});
  absl::Notification release;
  const auto holder = HoldThePlace(scheduler, release);
  auto three = Make(Steps(1), Delivery::kFinal, 3);
  auto two = Make(Steps(1), Delivery::kFinal, 2);
  auto one = Make(Steps(1), Delivery::kFinal, 1);
  ASSERT_THAT(scheduler.Submit(three->request), IsOk());
  EXPECT_THAT(
      scheduler.Submit(two->request),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("3 rows wait")));
  EXPECT_THAT(scheduler.Submit(one->request), IsOk());
  EXPECT_EQ(scheduler.queued_rows(), 4);
  clock_.Advance(absl::Milliseconds(30));
  EXPECT_EQ(scheduler.RetryAfter(), absl::Milliseconds(30));
  release.Notify();
  EXPECT_EQ(three->Await().size(), 3u);
  EXPECT_EQ(one->Await().size(), 1u);
}

// A client that asks for no time at all gets its first predictions beside the
// others, not before all of them.
TEST_F(SchedulerTest, RowsWhoseTimeIsOverAreNoMoreInAPassThanHavePlaces) {
  constexpr int64_t kPlaces = 2;
  Scheduler scheduler({.max_active_rows = kPlaces, .clock = &clock_});
  absl::Notification release;
  std::atomic<int64_t> most{0};  // rows of one step
  telemetry_.after_step = [&, before = int64_t{1}](int64_t step) mutable {
    if (step == 1) release.WaitForNotification();
    most = std::max<int64_t>(most, telemetry_.row_steps - before);
    before = telemetry_.row_steps;
  };
  auto holder = Make({}, Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(holder->request), IsOk());
  AwaitTrue([&] { return telemetry_.steps > 0; });
  Budget none;
  none.max_time = absl::Nanoseconds(1);
  auto hurried = Make(none, Delivery::kFinal, 50);
  ASSERT_THAT(scheduler.Submit(hurried->request), IsOk());
  clock_.Advance(absl::Milliseconds(1));
  release.Notify();
  EXPECT_EQ(hurried->Await().size(), 50u);
  holder->Await();
  AwaitIdle(scheduler);
  EXPECT_LE(most, 2 * kPlaces);
}

TEST_F(SchedulerTest, ACancelTakesEffectBeforeTheNextStep) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make({});
  telemetry_.after_step = [&](int64_t step) {
    if (step == 5) collector->request->Cancel();
  };
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  AwaitIdle(scheduler);
  EXPECT_EQ(telemetry_.steps, 5);        // step 0 and four experts
  EXPECT_EQ(telemetry_.activations, 4);  // and not one more
}

TEST_F(SchedulerTest, ACancelledRequestLeavesTheQueueAtOnce) {
  Scheduler scheduler(
      {.max_active_rows = 1, .max_queued_rows = 2, .clock = &clock_});
  absl::Notification release;
  const auto holder = HoldThePlace(scheduler, release);
  auto waiting = Make({}, Delivery::kFinal, 2);
  ASSERT_THAT(scheduler.Submit(waiting->request), IsOk());
  waiting->request->Cancel();
  release.Notify();
  AwaitTrue([&] { return scheduler.queued_rows() == 0; });
  EXPECT_EQ(telemetry_.started, 1);
  holder->Await();
}

TEST_F(SchedulerTest, AStopSendsTheBestSoFarAsFinal) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make({});
  telemetry_.after_step = [&](int64_t step) {
    if (step == 4) collector->request->Stop();
  };
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  const std::vector<Prediction> got = collector->Await();
  EXPECT_EQ(got.back().step, 3u);
  EXPECT_EQ(got.back().stop_reason, StopReason::kClientStop);
  EXPECT_FALSE(got.back().probabilities.empty());
}

TEST_F(SchedulerTest, ANewBudgetHoldsFromTheNextStepOn) {
  Scheduler scheduler({.clock = &clock_});
  auto collector = Make(Steps(6));
  telemetry_.after_step = [&](int64_t step) {
    if (step == 3) collector->request->SetBudget(Steps(12));
  };
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  EXPECT_EQ(collector->Await().back().step, 12u);

  auto shortened = Make(Steps(60));
  telemetry_.after_step = [&, first = telemetry_.steps.load()](int64_t step) {
    if (step == first + 3) shortened->request->SetBudget(Steps(1));
  };
  ASSERT_THAT(scheduler.Submit(shortened->request), IsOk());
  const std::vector<Prediction> got = shortened->Await();
  EXPECT_EQ(got.back().step, 2u);  // it had run two when the budget came
  EXPECT_EQ(got.back().stop_reason, StopReason::kMaxSteps);
}

TEST_F(SchedulerTest, MaxTimeCountsFromAdmissionAndGivesTheBestSoFar) {
  Scheduler scheduler({.clock = &clock_});
  Budget budget;
  budget.max_time = absl::Milliseconds(10);
  auto collector = Make(budget);
  telemetry_.after_step = [&](int64_t) {
    clock_.Advance(absl::Milliseconds(3));
  };
  ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
  const std::vector<Prediction> got = collector->Await();
  EXPECT_EQ(got.back().stop_reason, StopReason::kMaxTime);
  // 3 ms a step: 12 ms have passed when step 4 is about to run.
  EXPECT_EQ(got.back().step, 3u);
  EXPECT_EQ(got.back().elapsed, absl::Milliseconds(12));
}

TEST_F(SchedulerTest, WhoMayNotWaitInTheQueueIsAnsweredFromStepZero) {
  Scheduler scheduler({.max_active_rows = 1, .clock = &clock_});
  // Holds the only place: it is never done, and its reader keeps up.
  auto holder = Make({}, Delivery::kLatest);
  absl::Notification release;
  telemetry_.after_step = [&](int64_t step) {
    if (step == 2) release.WaitForNotification();
  };
  ASSERT_THAT(scheduler.Submit(holder->request), IsOk());
  AwaitTrue([&] { return telemetry_.steps >= 2; });
  Budget hurry;
  hurry.max_time = absl::Milliseconds(5);
  auto timed = Make(hurry, Delivery::kFinal);
  auto stopped = Make({}, Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(timed->request), IsOk());
  ASSERT_THAT(scheduler.Submit(stopped->request), IsOk());
  clock_.Advance(absl::Milliseconds(6));
  stopped->request->Stop();
  release.Notify();
  const std::vector<Prediction> in_time = timed->Await();
  EXPECT_EQ(in_time.back().step, 0u);
  EXPECT_EQ(in_time.back().stop_reason, StopReason::kMaxTime);
  EXPECT_EQ(stopped->Await().back().stop_reason, StopReason::kClientStop);
  holder->request->Cancel();
}

TEST_F(SchedulerTest, DrainFinishesWhatIsAdmittedAndRefusesTheRest) {
  Scheduler scheduler({.max_active_rows = 2, .clock = &clock_});
  std::vector<std::unique_ptr<Collector>> collectors;
  for (int i = 0; i < 20; ++i) {
    collectors.push_back(Make(Steps(20), Delivery::kFinal, 2));
    ASSERT_THAT(scheduler.Submit(collectors.back()->request), IsOk());
  }
  scheduler.Drain(absl::Hours(1));  // the clock stands still
  EXPECT_EQ(scheduler.active_rows(), 0);
  EXPECT_EQ(scheduler.queued_rows(), 0);
  for (auto& collector : collectors) {
    const std::vector<Prediction> got = collector->Await();
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].stop_reason, StopReason::kMaxSteps);
  }
  auto late = Make(Steps(1));
  EXPECT_THAT(scheduler.Submit(late->request),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting")));
}

TEST_F(SchedulerTest, ADrainWhoseTimeIsOverGivesEveryRowItsBestSoFar) {
  Scheduler scheduler({.max_active_rows = 3, .clock = &clock_});
  std::vector<std::unique_ptr<Collector>> collectors;
  for (int i = 0; i < 5; ++i) {
    collectors.push_back(Make({}, Delivery::kAll, 2));
    collectors.back()->StopTaking();
    ASSERT_THAT(scheduler.Submit(collectors.back()->request), IsOk());
  }
  scheduler.Drain(absl::ZeroDuration());
  for (auto& collector : collectors) {
    collector->TakeNow();
    int finals = 0;
    for (const Prediction& p : collector->Await()) {
      if (!p.final()) continue;
      ++finals;
      EXPECT_EQ(p.stop_reason, StopReason::kDraining);
      EXPECT_FALSE(p.probabilities.empty());
    }
    EXPECT_EQ(finals, 2);
  }
}

// A row's numbers are those of the engine alone, whoever else is served.
TEST_F(SchedulerTest, ResultsAreBitIdenticalAloneAndInACrowd) {
  std::vector<Prediction> alone;
  {
    Scheduler scheduler({.clock = &clock_});
    auto collector = Make({});
    ASSERT_THAT(scheduler.Submit(collector->request), IsOk());
    alone = collector->Await();
  }
  Scheduler scheduler({.max_active_rows = 50, .clock = &clock_});
  std::vector<std::unique_ptr<Collector>> crowd;
  for (int i = 0; i < 40; ++i) {
    crowd.push_back(Make(Steps(1 + i), Delivery::kLatest, 1 + i % 7));
    ASSERT_THAT(scheduler.Submit(crowd.back()->request), IsOk());
    if (i % 5 == 4) crowd[i - 2]->request->Cancel();
    if (i % 5 == 3) crowd[i - 1]->request->Stop();
  }
  auto again = Make({});
  ASSERT_THAT(scheduler.Submit(again->request), IsOk());
  const std::vector<Prediction> together = again->Await();
  ASSERT_EQ(together.size(), alone.size());
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(together[i].expert, alone[i].expert);
    EXPECT_EQ(together[i].ray_coverage, alone[i].ray_coverage);
    EXPECT_EQ(together[i].probabilities, alone[i].probabilities);
  }
  AwaitIdle(scheduler);
}

TEST_F(SchedulerTest, ThreadsGiveEveryRowTheSameBits) {
  // Probabilities by row and step.
  using Steps = std::map<std::pair<uint32_t, uint32_t>, std::vector<float>>;
  const auto run = [&](int threads) {
    Scheduler scheduler(
        {.max_active_rows = 30, .threads = threads, .clock = &clock_});
    std::vector<std::unique_ptr<Collector>> asked;
    for (uint32_t i = 0; i < 40; ++i) {
      asked.push_back(Make({}, Delivery::kAll, /*rows=*/1 + i % 5));
      EXPECT_THAT(scheduler.Submit(asked.back()->request), IsOk());
    }
    std::vector<Steps> got;
    for (const auto& collector : asked) {
      Steps& steps = got.emplace_back();
      for (const Prediction& p : collector->Await()) {
        EXPECT_TRUE(
            steps.emplace(std::pair(p.row, p.step), p.probabilities).second);
      }
    }
    AwaitIdle(scheduler);
    return got;
  };
  const auto alone = run(1);
  for (const Steps& steps : alone) EXPECT_EQ(steps.size() % (kAllSteps + 1), 0);
  EXPECT_EQ(run(3), alone);
}

TEST_F(SchedulerTest, AThreadServesWhileAnotherIsBusy) {
  Scheduler scheduler({.threads = 2, .clock = &clock_});
  absl::Notification release;
  auto held = HoldThePlace(scheduler, release);
  auto other = Make({}, Delivery::kAll);
  ASSERT_THAT(scheduler.Submit(other->request), IsOk());
  EXPECT_EQ(other->Await().size(), kAllSteps + 1);
  AwaitTrue([&] { return scheduler.active_rows() == 1; });
  release.Notify();
  held->Await();
  scheduler.Drain(absl::Seconds(10));
  EXPECT_EQ(scheduler.active_rows(), 0);
}

}  // namespace
}  // namespace mre
