// A scheduler's surroundings: a model with many steps, telemetry that counts,
// and clients that collect.
#ifndef MRE_TESTS_SERVER_SCHEDULE_SCHEDULER_FIXTURE_H_
#define MRE_TESTS_SERVER_SCHEDULE_SCHEDULER_FIXTURE_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "model/base/rng.h"
#include "server/schedule/scheduler.h"
#include "tests/support/await_true.h"
#include "tests/support/fake_clock.h"
#include "tests/support/random_model.h"

namespace mre {

// 2 layers of 40 experts: 80 steps to exhaust.
inline std::shared_ptr<const PackedModel> LongModel() {
  static const std::shared_ptr<const PackedModel> model = [] {
    ModelConfig config = RandomConfig(3);
    config.layers = 2;
    config.experts = 40;
    return std::shared_ptr<const PackedModel>(
        *PackedModel::Create(RandomModel(config, 3), Precision::kF32));
  }();
  return model;
}
inline constexpr uint32_t kAllSteps = 80;

// Counts, and lets a test act on the engine thread after each step and whenever
// an expert has run.
class Telemetry : public ModelTelemetry {
 public:
  void RowStarted(absl::Duration) override { ++started; }
  void FirstPrediction(absl::Duration) override { ++first; }
  void Stepped(const PassReport& pass) override {
    ++steps;
    row_steps += pass.rows;
    total_macs += pass.macs;
    if (pass.computed) ++computed;
    {
      absl::MutexLock lock(&mu);
      for (size_t i = 0; i < pass.steps.size(); ++i) {
        if (pass.steps[i].rows == 0) continue;
        reached[pass.first_step + i] += pass.steps[i].rows;
        elapsed += pass.steps[i].elapsed;
      }
    }
    if (after_step) after_step(steps);
  }
  void ExpertRan(int64_t, int64_t rows) override {
    activations += rows;
    if (after_expert) after_expert();
  }
  void RanInVain(uint64_t macs) override { in_vain += macs; }
  void RowFinished(StopReason reason, const Progress& progress, uint64_t vain,
                   uint32_t asked) override {
    finished_in_vain += vain;
    steps_asked += asked;
    steps_granted += progress.step;
    absl::MutexLock lock(&mu);
    ++finished[reason];
  }

  std::atomic<int64_t> started{0}, first{0}, steps{0}, row_steps{0},
      computed{0}, activations{0};
  void StepCapChanged(uint32_t steps) override { step_cap = steps; }

  std::atomic<uint64_t> total_macs{0}, in_vain{0}, finished_in_vain{0};
  std::atomic<uint64_t> steps_asked{0}, steps_granted{0};
  std::atomic<uint32_t> step_cap{0};  // 0: not told
  absl::Mutex mu;
  std::map<StopReason, int> finished ABSL_GUARDED_BY(mu);
  std::map<size_t, int64_t> reached ABSL_GUARDED_BY(mu);  // rows, by step
  absl::Duration elapsed ABSL_GUARDED_BY(mu);             // of those together
  std::function<void(int64_t step)> after_step;
  std::function<void()> after_expert;
};

// Collects everything a request says until it has ended.
class Collector : public Request::Listener {
 public:
  // The engine may still be telling it something.
  ~Collector() override { request->Detach(); }

  void OnReady() override {
    if (hold != nullptr) hold->WaitForNotification();
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
  absl::Notification* hold = nullptr;  // who tells it waits for this

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
                                  uint32_t rows = 1, uint64_t client = 0) {
    auto collector = std::make_unique<Collector>();
    Request::Spec spec;
    spec.model = LongModel();
    spec.telemetry = &telemetry_;
    spec.client = client;
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

  // A row that is active, the engine thread held in its first step until
  // `release`. (A row that pauses would hold no place.)
  std::unique_ptr<Collector> HoldThePlace(Scheduler& scheduler,
                                          absl::Notification& release) {
    telemetry_.after_step = [&release](int64_t step) {
      if (step == 1) release.WaitForNotification();
    };
    auto holder = Make({}, Delivery::kFinal);
    EXPECT_TRUE(scheduler.Submit(holder->request).ok());
    AwaitTrue([&] { return telemetry_.steps > 0; });
    return holder;
  }

  // Rows of every step that nobody takes, which have filled their outboxes.
  // REQUIRES: no other has stepped before.
  std::unique_ptr<Collector> MakePaused(Scheduler& scheduler,
                                        const Budget& budget = {},
                                        int64_t rows = 1) {
    auto slow = Make(budget, Delivery::kAll, rows);
    slow->StopTaking();
    EXPECT_TRUE(scheduler.Submit(slow->request).ok());
    AwaitTrue(
        [&] { return telemetry_.row_steps >= rows * int64_t{kOutboxSteps}; });
    return slow;
  }

  // Waits until every row has left. (In this order: Scheduler::AdmitFromQueue.)
  static void AwaitIdle(const Scheduler& scheduler) {
    AwaitTrue([&] {
      return scheduler.queued_rows() == 0 && scheduler.active_rows() == 0;
    });
  }

  FakeClock clock_;
  Telemetry telemetry_;
};

// Stops nothing, but its row is computed with an eye to its predictions: after
// its first steps no more than 2, 3, 4, 6 and then 8 ahead.
inline Budget NeverSure() {
  Budget budget;
  budget.min_confidence = 2;
  return budget;
}

inline Budget Steps(uint32_t steps) {
  Budget budget;
  budget.max_steps = steps;
  return budget;
}

}  // namespace mre

#endif  // MRE_TESTS_SERVER_SCHEDULE_SCHEDULER_FIXTURE_H_
