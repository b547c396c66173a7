// Rows that are granted fewer steps because others wait.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/schedule/scheduler_fixture.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

// Whoever has waited at all is too many.
BrownoutOptions AtOnce() {
  return {.begin = absl::ZeroDuration(),
          .full = absl::Microseconds(1),
          .end = absl::ZeroDuration(),
          .floor = 4};
}

// One row runs and another waits; time passes only where a test says so.
class OverloadTest : public SchedulerTest {
 protected:
  // What a row with `budget` gets on a scheduler with one place if another one
  // is submitted after the engine's step `when`, and has waited for `waited`
  // by the next.
  std::vector<Prediction> Run(const BrownoutOptions& brownout, Budget budget,
                              Delivery delivery, int64_t when,
                              absl::Duration waited) {
    scheduler_ = std::make_unique<Scheduler>(Scheduler::Options{
        .max_active_rows = 1, .brownout = brownout, .clock = &clock_});
    auto first = Make(budget, delivery);
    waiting_ = Make({}, Delivery::kFinal);
    telemetry_.after_step = [this, when, waited](int64_t step) {
      if (step != when) return;
      ASSERT_THAT(scheduler_->Submit(waiting_->request), IsOk());
      clock_.Advance(waited);
    };
    EXPECT_THAT(scheduler_->Submit(first->request), IsOk());
    return first->Await();
  }

  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Collector> waiting_;
};

TEST_F(OverloadTest, WhoWaitsTakesFromThoseThatRun) {
  const std::vector<Prediction> got =
      Run(AtOnce(), {}, Delivery::kAll, 11, absl::Milliseconds(1));
  EXPECT_EQ(got.back().stop_reason, StopReason::kOverload);
  EXPECT_EQ(got.back().step, 10u);
  EXPECT_FALSE(got.back().probabilities.empty());
  // Nobody waits behind the other.
  EXPECT_EQ(waiting_->Await().back().stop_reason, StopReason::kExhausted);
  AwaitIdle(*scheduler_);
  EXPECT_EQ(telemetry_.steps_asked, 2 * kAllSteps);
  EXPECT_EQ(telemetry_.steps_granted, 10 + kAllSteps);
  EXPECT_EQ(telemetry_.step_cap, kAllSteps) << "whole again";
  EXPECT_EQ(scheduler_->overload().lowerings, 1u);
  EXPECT_FALSE(scheduler_->overload().lowered);
  EXPECT_EQ(scheduler_->overload().refused, 0u);
}

TEST_F(OverloadTest, EveryRowGetsTheFloor) {
  for (const uint32_t floor : {0u, 1u, 4u, 9u}) {
    BrownoutOptions brownout = AtOnce();
    brownout.floor = floor;
    const int64_t now = telemetry_.steps + 1;  // with its first prediction
    const std::vector<Prediction> got =
        Run(brownout, {}, Delivery::kAll, now, absl::Milliseconds(1));
    EXPECT_EQ(got.back().step, floor);
    EXPECT_EQ(got.back().stop_reason, StopReason::kOverload);
    waiting_->Await();
    AwaitIdle(*scheduler_);
  }
}

// Nobody looks, so that it is computed in long waves.
TEST_F(OverloadTest, NothingIsComputedBeyondTheCap) {
  const std::vector<Prediction> got =
      Run(AtOnce(), {}, Delivery::kFinal, 1, absl::Milliseconds(1));
  EXPECT_EQ(got.back().step, 4u);
  EXPECT_EQ(got.back().stop_reason, StopReason::kOverload);
  waiting_->Await();
  AwaitIdle(*scheduler_);
  EXPECT_EQ(telemetry_.activations, 4 + kAllSteps);
  EXPECT_EQ(telemetry_.in_vain, 0u);
}

TEST_F(OverloadTest, ASmallerBudgetKeepsItsOwnReason) {
  for (const uint32_t steps : {1u, 4u}) {
    const int64_t now = telemetry_.steps + 1;
    const std::vector<Prediction> got =
        Run(AtOnce(), Steps(steps), Delivery::kAll, now, absl::Milliseconds(1));
    EXPECT_EQ(got.back().step, steps);
    EXPECT_EQ(got.back().stop_reason, StopReason::kMaxSteps);
    waiting_->Await();
    AwaitIdle(*scheduler_);
  }
  EXPECT_EQ(telemetry_.steps_asked, telemetry_.steps_granted);
}

TEST_F(OverloadTest, WhatALimitWouldHaveAllowedIsWhatWasAsked) {
  const std::vector<Prediction> got =
      Run(AtOnce(), Steps(20), Delivery::kAll, 1, absl::Milliseconds(1));
  EXPECT_EQ(got.size(), 5u) << "the last step is the final one";
  EXPECT_EQ(got.back().stop_reason, StopReason::kOverload);
  waiting_->Await();
  AwaitIdle(*scheduler_);
  EXPECT_EQ(telemetry_.steps_asked, 20 + kAllSteps);
  EXPECT_EQ(telemetry_.steps_granted, 4 + kAllSteps);
}

TEST_F(OverloadTest, AShortWaitTakesNothing) {
  const BrownoutOptions brownout;
  const std::vector<Prediction> got =
      Run(brownout, {}, Delivery::kAll, 1, brownout.begin);
  EXPECT_EQ(got.back().stop_reason, StopReason::kExhausted);
  EXPECT_EQ(telemetry_.step_cap, 0u) << "never lowered";
}

TEST_F(OverloadTest, OffTakesNothing) {
  BrownoutOptions brownout = AtOnce();
  brownout.on = false;
  const std::vector<Prediction> got =
      Run(brownout, {}, Delivery::kAll, 1, absl::Hours(1));
  EXPECT_EQ(got.back().stop_reason, StopReason::kExhausted);
}

// A new budget asks for more than is granted; a stop is the client's own.
TEST_F(OverloadTest, AnotherBudgetBuysNoMore) {
  scheduler_ = std::make_unique<Scheduler>(Scheduler::Options{
      .max_active_rows = 1, .brownout = AtOnce(), .clock = &clock_});
  auto first = Make(Steps(3));
  auto second = Make({}, Delivery::kFinal);
  telemetry_.after_step = [&](int64_t step) {
    if (step != 2) return;
    first->request->SetBudget(Steps(60));
    ASSERT_THAT(scheduler_->Submit(second->request), IsOk());
    clock_.Advance(absl::Milliseconds(1));
  };
  ASSERT_THAT(scheduler_->Submit(first->request), IsOk());
  EXPECT_EQ(first->Await().back().step, 4u);
  EXPECT_EQ(first->Await().back().stop_reason, StopReason::kOverload);
  second->Await();
}

// The clock stands still: it is the queue that is nearly full.
TEST_F(OverloadTest, AFullQueueLowersThoughNobodyHasWaited) {
  Scheduler scheduler(
      {.max_active_rows = 1, .max_queued_rows = 4, .clock = &clock_});
  absl::Notification release;
  const auto holder = HoldThePlace(scheduler, release);
  auto crowd = Make({}, Delivery::kFinal, 4);
  ASSERT_THAT(scheduler.Submit(crowd->request), IsOk());
  EXPECT_EQ(scheduler.Submit(Make({})->request).code(),
            absl::StatusCode::kResourceExhausted);
  release.Notify();
  EXPECT_EQ(holder->Await().back().stop_reason, StopReason::kOverload);
  EXPECT_EQ(holder->Await().back().step, BrownoutOptions().floor);
  const std::vector<Prediction> rows = crowd->Await();
  ASSERT_EQ(rows.size(), 4u);
  // Three rows wait behind the first, two behind the next.
  EXPECT_EQ(rows[0].stop_reason, StopReason::kOverload);
  EXPECT_EQ(rows[3].stop_reason, StopReason::kExhausted);
  AwaitIdle(scheduler);
  EXPECT_EQ(telemetry_.step_cap, kAllSteps);
}

// Of two threads one looks at the queue while a row waits, and is in its last
// pass when the other takes that row.
TEST_F(OverloadTest, AThreadThatGoesIdleLowersNothing) {
  Scheduler scheduler({.max_active_rows = 2,
                       .brownout = AtOnce(),
                       .threads = 2,
                       .clock = &clock_});
  absl::Notification waits, last_pass, served;
  std::atomic<std::thread::id> first;  // the thread of the first row
  std::atomic<int> steps_of_first{0};
  telemetry_.after_step = [&](int64_t step) {
    if (step == 1) first = std::this_thread::get_id();
    if (std::this_thread::get_id() != first.load()) {
      last_pass.WaitForNotification();
    } else if (const int mine = ++steps_of_first; mine == 1) {
      waits.WaitForNotification();
    } else if (mine == 2) {
      last_pass.Notify();
      served.WaitForNotification();
    }
  };
  auto one = Make(Steps(1));
  ASSERT_THAT(scheduler.Submit(one->request), IsOk());
  AwaitTrue([&] { return telemetry_.steps == 1; });
  auto two = Make(Steps(1));
  ASSERT_THAT(scheduler.Submit(two->request), IsOk());
  AwaitTrue([&] { return telemetry_.steps == 2; });
  auto three = Make(Steps(1));
  ASSERT_THAT(scheduler.Submit(three->request), IsOk());
  clock_.Advance(absl::Milliseconds(1));
  waits.Notify();
  three->Await();
  EXPECT_TRUE(scheduler.overload().lowered);
  served.Notify();
  AwaitTrue([&] { return !scheduler.overload().lowered; });
  AwaitIdle(scheduler);
  EXPECT_EQ(telemetry_.step_cap, kAllSteps);
}

TEST_F(OverloadTest, AClientWhoseRowsWaitForTooLongIsRefused) {
  Scheduler scheduler({.max_active_rows = 1,
                       .max_wait = absl::Milliseconds(100),
                       .brownout = {.on = false},
                       .clock = &clock_});
  absl::Notification release;
  auto holder = HoldThePlace(scheduler, release);
  auto waits = Make(Steps(1), Delivery::kFinal, 1, /*client=*/1);
  auto later = Make(Steps(1), Delivery::kFinal, 1, /*client=*/1);
  ASSERT_THAT(scheduler.Submit(waits->request), IsOk());
  clock_.Advance(absl::Milliseconds(100));
  ASSERT_THAT(scheduler.Submit(later->request), IsOk()) << "the limit itself";
  clock_.Advance(absl::Milliseconds(1));
  auto refused = Make(Steps(1), Delivery::kFinal, 1, /*client=*/1);
  EXPECT_THAT(scheduler.Submit(refused->request),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       testing::HasSubstr("has waited for 101ms, the limit is "
                                          "100ms")));
  EXPECT_EQ(scheduler.overload().refused, 1u);
  auto other = Make(Steps(1), Delivery::kFinal, 1, /*client=*/2);
  EXPECT_THAT(scheduler.Submit(other->request), IsOk()) << "another client";
  release.Notify();
  for (const auto* client : {&waits, &later, &other}) (*client)->Await();
  EXPECT_THAT(scheduler.Submit(refused->request), IsOk()) << "nobody waits";
  refused->Await();
  holder->Await();
}

TEST_F(OverloadTest, RequestsThatWaitToBeToldHoldPlaces) {
  Scheduler scheduler(
      {.max_active_rows = 2, .brownout = {.on = false}, .clock = &clock_});
  // Its step 0 is its last, and does not end before the others are there.
  Budget budget;
  budget.max_macs = LongModel()->cost().After(0);
  absl::Notification begin;
  telemetry_.after_step = [&](int64_t step) {
    if (step == 1) begin.WaitForNotification();
  };
  auto holder = Make(budget, Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(holder->request), IsOk());
  AwaitTrue([&] { return telemetry_.steps > 0; });
  // Two that end in one pass, and do not return from being told.
  absl::Notification release;
  std::vector<std::unique_ptr<Collector>> told;
  for (int i = 0; i < 2; ++i) {
    told.push_back(Make(Steps(1), Delivery::kFinal));
    told.back()->hold = &release;
    ASSERT_THAT(scheduler.Submit(told.back()->request), IsOk());
  }
  begin.Notify();
  AwaitIdle(scheduler);
  auto late = Make(Steps(1), Delivery::kFinal);
  ASSERT_THAT(scheduler.Submit(late->request), IsOk());
  // One that may not wait shows that the queue is looked at.
  Budget hurried;
  hurried.max_time = absl::Milliseconds(1);
  auto other = Make(hurried, Delivery::kFinal);
  const int64_t before = telemetry_.started;
  ASSERT_THAT(scheduler.Submit(other->request), IsOk());
  clock_.Advance(absl::Milliseconds(2));
  AwaitTrue([&] { return telemetry_.started > before; });
  EXPECT_EQ(telemetry_.started, before + 1);
  EXPECT_EQ(scheduler.queued_rows(), 1);
  release.Notify();
  late->Await();
}

}  // namespace
}  // namespace mre
