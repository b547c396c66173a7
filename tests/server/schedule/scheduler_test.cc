#include "server/schedule/scheduler.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/rng.h"
#include "tests/support/fake_clock.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::HasSubstr;

// 2 layers of 40 experts: 80 steps to exhaust.
std::shared_ptr<const PackedModel> LongModel() {
  static const std::shared_ptr<const PackedModel> model = [] {
    ModelConfig config = RandomConfig(3);
    config.layers = 2;
    config.experts = 40;
    return std::shared_ptr<const PackedModel>(
        *PackedModel::Create(RandomModel(config, 3), Precision::kF32));
  }();
  return model;
}
constexpr uint32_t kAllSteps = 80;

// Counts, and lets a test act on the engine thread after each step.
class Telemetry : public ModelTelemetry {
 public:
  void RowStarted(absl::Duration) override { ++started; }
  void FirstPrediction(absl::Duration) override { ++first; }
  void Stepped(int64_t rows, uint64_t macs, absl::Duration) override {
    ++steps;
    row_steps += rows;
    total_macs += macs;
    if (after_step) after_step(steps);
  }
  void ExpertRan(int64_t, int64_t rows) override { activations += rows; }
  void RowFinished(StopReason reason, const Progress&) override {
    absl::MutexLock lock(&mu);
    ++finished[reason];
  }

  std::atomic<int64_t> started{0}, first{0}, steps{0}, row_steps{0},
      activations{0};
  std::atomic<uint64_t> total_macs{0};
  absl::Mutex mu;
  std::map<StopReason, int> finished ABSL_GUARDED_BY(mu);
  std::function<void(int64_t step)> after_step;
};

// Collects everything a request says until it has ended.
class Collector : public Request::Listener {
 public:
  // The engine may still be telling it something.
  ~Collector() override { request->Detach(); }

  void OnReady() override {
    if (!take_) return;
    TakeNow();
  }
  void TakeNow() {
    std::vector<Prediction> taken;
    const bool finished = request->Take(taken);
    absl::MutexLock lock(&mu_);
    for (Prediction& p : taken) all_.push_back(std::move(p));
    if (finished && !done_.HasBeenNotified()) done_.Notify();
  }
  std::vector<Prediction> Await() {
    done_.WaitForNotification();
    absl::MutexLock lock(&mu_);
    return all_;
  }
  size_t size() {
    absl::MutexLock lock(&mu_);
    return all_.size();
  }
  void StopTaking() { take_ = false; }

  std::shared_ptr<Request> request;

 private:
  std::atomic<bool> take_{true};
  absl::Mutex mu_;
  std::vector<Prediction> all_ ABSL_GUARDED_BY(mu_);
  absl::Notification done_;
};

class SchedulerTest : public testing::Test {
 protected:
  std::unique_ptr<Collector> Make(Budget budget,
                                  Delivery delivery = Delivery::kAll,
                                  uint32_t rows = 1) {
    auto collector = std::make_unique<Collector>();
    Request::Spec spec;
    spec.model = LongModel();
    spec.telemetry = &telemetry_;
    spec.rows = rows;
    spec.budget = budget;
    spec.delivery = delivery;
    Rng rng(rows);
    for (uint32_t row = 0; row < rows; ++row) {
      const auto input = RandomInput(spec.model->config(), rng);
      spec.input.insert(spec.input.end(), input.begin(), input.end());
    }
    collector->request =
        std::make_shared<Request>(std::move(spec), collector.get());
    return collector;
  }

  // Waits until every row has left. (In this order: scheduler.cc, BeginNext.)
  static void AwaitIdle(const Scheduler& scheduler) {
    while (scheduler.queued_rows() > 0 || scheduler.active_rows() > 0) {
      std::this_thread::yield();
    }
  }

  FakeClock clock_;
  Telemetry telemetry_;
};

Budget Steps(uint32_t steps) {
  Budget budget;
  budget.max_steps = steps;
  return budget;
}

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
  // Holds the one place until released: its outbox is never taken.
  auto holder = Make({});
  holder->StopTaking();
  ASSERT_THAT(scheduler.Submit(holder->request), IsOk());
  while (scheduler.active_rows() == 0) std::this_thread::yield();
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
  holder->request->Cancel();
  EXPECT_EQ(three->Await().size(), 3u);
  EXPECT_EQ(one->Await().size(), 1u);
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
  auto holder = Make({});
  holder->StopTaking();
  ASSERT_THAT(scheduler.Submit(holder->request), IsOk());
  while (scheduler.active_rows() == 0) std::this_thread::yield();
  auto waiting = Make({}, Delivery::kFinal, 2);
  ASSERT_THAT(scheduler.Submit(waiting->request), IsOk());
  waiting->request->Cancel();
  while (scheduler.queued_rows() > 0) std::this_thread::yield();
  EXPECT_EQ(telemetry_.started, 1);
  holder->request->Cancel();
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

TEST_F(SchedulerTest, ASlowReaderPausesItsRowAndNobodyElses) {
  Scheduler scheduler({.clock = &clock_});
  auto slow = Make({});
  slow->StopTaking();
  ASSERT_THAT(scheduler.Submit(slow->request), IsOk());
  while (telemetry_.row_steps < kOutboxSteps) std::this_thread::yield();
  auto other = Make({});
  ASSERT_THAT(scheduler.Submit(other->request), IsOk());
  EXPECT_EQ(other->Await().size(), kAllSteps + 1);
  EXPECT_EQ(scheduler.active_rows(), 1);
  // It goes on where it paused, and nothing is missing.
  while (slow->size() < kAllSteps + 1) slow->TakeNow();
  const std::vector<Prediction> got = slow->Await();
  for (uint32_t step = 0; step <= kAllSteps; ++step) {
    EXPECT_EQ(got[step].step, step);
  }
}

TEST_F(SchedulerTest, PausedRowsHoldNobodysPlace) {
  Scheduler scheduler({.max_active_rows = 2, .clock = &clock_});
  auto slow = Make({}, Delivery::kAll, 2);
  slow->StopTaking();
  ASSERT_THAT(scheduler.Submit(slow->request), IsOk());
  while (telemetry_.row_steps < 2 * kOutboxSteps) std::this_thread::yield();
  auto other = Make(Steps(5), Delivery::kFinal, 2);
  ASSERT_THAT(scheduler.Submit(other->request), IsOk());
  EXPECT_EQ(other->Await().size(), 2u);
  EXPECT_EQ(scheduler.active_rows(), 2);
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
      while (scheduler.active_rows() < i + 1) std::this_thread::yield();
    }
  }
  EXPECT_EQ(scheduler.active_rows(), 3);
  EXPECT_EQ(scheduler.queued_rows(), 2);
  for (const auto& collector : slow) collector->request->Cancel();
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
  while (telemetry_.steps < 2) std::this_thread::yield();
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

TEST_F(SchedulerTest, APausedRowStillStopsForItsTime) {
  Scheduler scheduler({.clock = &clock_});
  Budget budget;
  budget.max_time = absl::Milliseconds(10);
  auto slow = Make(budget);
  slow->StopTaking();
  ASSERT_THAT(scheduler.Submit(slow->request), IsOk());
  while (telemetry_.row_steps < kOutboxSteps) std::this_thread::yield();
  clock_.Advance(absl::Milliseconds(11));
  AwaitIdle(scheduler);
  slow->TakeNow();
  EXPECT_EQ(slow->Await().back().stop_reason, StopReason::kMaxTime);
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

}  // namespace
}  // namespace mre
