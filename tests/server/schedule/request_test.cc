#include "server/schedule/request.h"

#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

using testing::ElementsAre;

class CountingWaker : public Request::Waker {
 public:
  void Wake() override { ++wakes; }
  void Reconsider() override { ++wakes; }
  int wakes = 0;
};

class CountingListener : public Request::Listener {
 public:
  void OnReady() override { ++calls; }
  int calls = 0;
};

std::shared_ptr<const PackedModel> SmallModel() {
  static const std::shared_ptr<const PackedModel> model =
      *PackedModel::Create(RandomModel(RandomConfig(1), 1), Precision::kF32);
  return model;
}

class RequestTest : public testing::Test {
 protected:
  std::unique_ptr<Request> Make(Delivery delivery, uint32_t rows = 1,
                                uint32_t every = 1) {
    Request::Spec spec;
    spec.model = SmallModel();
    spec.rows = rows;
    spec.input.resize(rows * spec.model->config().input.size());
    spec.delivery = delivery;
    spec.every = every;
    auto request = std::make_unique<Request>(std::move(spec), &listener_);
    request->Admit(absl::UnixEpoch(), &waker_);
    return request;
  }

  static Prediction At(uint32_t row, uint32_t step,
                       StopReason reason = StopReason::kNone) {
    Prediction prediction;
    prediction.row = row;
    prediction.step = step;
    prediction.stop_reason = reason;
    return prediction;
  }

  // Steps in the outbox, oldest first.
  static std::vector<uint32_t> TakeSteps(Request& request) {
    std::vector<Prediction> taken;
    request.Take(taken);
    std::vector<uint32_t> steps;
    for (const Prediction& p : taken) steps.push_back(p.step);
    return steps;
  }

  CountingListener listener_;
  CountingWaker waker_;
};

TEST_F(RequestTest, LatestReplacesOlderStepsOfTheSameRowOnly) {
  auto request = Make(Delivery::kLatest, 2);
  request->Put(At(0, 0));
  request->Put(At(1, 0));
  request->Put(At(0, 1));
  request->Put(At(0, 2));
  std::vector<Prediction> taken;
  EXPECT_FALSE(request->Take(taken));
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].row, 0u);
  EXPECT_EQ(taken[0].step, 2u);
  EXPECT_EQ(taken[1].row, 1u);
  EXPECT_EQ(taken[1].step, 0u);
}

TEST_F(RequestTest, LatestHoldsAtMostOnePredictionARowHoweverManyArePut) {
  auto request = Make(Delivery::kLatest, 3);
  for (uint32_t step = 0; step < 1000; ++step) {
    for (uint32_t row = 0; row < 3; ++row) request->Put(At(row, step));
  }
  std::vector<Prediction> taken;
  request->Take(taken);
  EXPECT_EQ(taken.size(), 3u);
}

TEST_F(RequestTest, AllKeepsEveryStepInOrder) {
  auto request = Make(Delivery::kAll);
  for (uint32_t step = 0; step < 5; ++step) request->Put(At(0, step));
  EXPECT_THAT(TakeSteps(*request), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(TakeSteps(*request), ElementsAre());
}

TEST_F(RequestTest, AllPausesARowWhoseOutboxIsFullUntilItIsTaken) {
  auto request = Make(Delivery::kAll, 2);
  for (uint32_t step = 0; step < kOutboxSteps; ++step) {
    EXPECT_FALSE(request->OutboxFull(0));
    request->Put(At(0, step));
  }
  EXPECT_TRUE(request->OutboxFull(0));
  EXPECT_FALSE(request->OutboxFull(1));
  EXPECT_EQ(waker_.wakes, 0);
  TakeSteps(*request);
  EXPECT_EQ(waker_.wakes, 1);
  EXPECT_FALSE(request->OutboxFull(0));
}

TEST_F(RequestTest, AFinalPredictionFindsRoomInAFullOutbox) {
  auto request = Make(Delivery::kAll);
  for (uint32_t step = 0; step < kOutboxSteps; ++step) {
    request->Put(At(0, step));
  }
  request->Put(At(0, kOutboxSteps, StopReason::kDraining));
  std::vector<Prediction> taken;
  EXPECT_TRUE(request->Take(taken));
  EXPECT_EQ(taken.size(), kOutboxSteps + 1);
  EXPECT_TRUE(taken.back().final());
}

TEST_F(RequestTest, ARowThatEndsBetweenStepsTurnsItsWaitingStepIntoTheFinal) {
  auto request = Make(Delivery::kAll);
  request->Put(At(0, 0));
  request->Put(At(0, 1));
  request->Put(At(0, 1, StopReason::kClientStop));
  std::vector<Prediction> taken;
  EXPECT_TRUE(request->Take(taken));
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_FALSE(taken[0].final());
  EXPECT_TRUE(taken[1].final());
}

TEST_F(RequestTest, TakeSaysFinishedOnceEveryRowHasItsFinal) {
  auto request = Make(Delivery::kFinal, 2);
  std::vector<Prediction> taken;
  request->Put(At(0, 4, StopReason::kMaxSteps));
  EXPECT_FALSE(request->Take(taken));
  request->Put(At(1, 4, StopReason::kMaxSteps));
  EXPECT_TRUE(request->Take(taken));
  EXPECT_EQ(taken.size(), 1u);
  EXPECT_TRUE(request->Take(taken));
  EXPECT_TRUE(taken.empty());
}

TEST_F(RequestTest, SpentIsOfRowsThatEndedAndTheLongestWait) {
  auto request = Make(Delivery::kAll, 2);
  request->RowBegun(absl::Milliseconds(7));
  request->RowBegun(absl::Milliseconds(3));
  request->Put(At(0, 3));
  EXPECT_EQ(request->spent().steps, 0u);
  EXPECT_EQ(request->spent().queued, absl::Milliseconds(7));
  Prediction last = At(0, 4, StopReason::kMaxSteps);
  last.macs = 100;
  request->Put(last);
  request->Put(At(1, 5, StopReason::kMaxSteps));
  EXPECT_EQ(request->spent().steps, 9u);
  EXPECT_EQ(request->spent().macs, 100u);
}

TEST_F(RequestTest, WantsEachNthStepAndTheLast) {
  auto all = Make(Delivery::kAll, 1, 3);
  EXPECT_TRUE(all->Wants(0, false));
  EXPECT_FALSE(all->Wants(1, false));
  EXPECT_FALSE(all->Wants(2, false));
  EXPECT_TRUE(all->Wants(3, false));
  EXPECT_TRUE(all->Wants(4, true));
  auto final = Make(Delivery::kFinal);
  EXPECT_FALSE(final->Wants(0, false));
  EXPECT_TRUE(final->Wants(0, true));
}

TEST_F(RequestTest, NewBudgetsStopsAndCancelsWakeTheEngine) {
  auto request = Make(Delivery::kLatest);
  const uint32_t version = request->budget_version();
  Budget budget;
  budget.max_steps = 7;
  request->SetBudget(budget);
  EXPECT_NE(request->budget_version(), version);
  EXPECT_EQ(request->budget().max_steps, 7u);
  request->Stop();
  EXPECT_TRUE(request->stop_requested());
  request->Cancel();
  EXPECT_TRUE(request->cancelled());
  EXPECT_EQ(waker_.wakes, 3);
}

TEST_F(RequestTest, TheListenerIsNotCalledAfterDetach) {
  auto request = Make(Delivery::kLatest);
  request->Notify();
  EXPECT_EQ(listener_.calls, 1);
  request->Detach();
  request->Notify();
  EXPECT_EQ(listener_.calls, 1);
}

// What the thread sanitizer looks at: both sides at once.
TEST_F(RequestTest, PutAndTakeMayRunAtTheSameTime) {
  auto request = Make(Delivery::kAll);
  constexpr uint32_t kSteps = 20000;
  std::thread engine([&] {
    for (uint32_t step = 0; step <= kSteps; ++step) {
      while (request->OutboxFull(0)) std::this_thread::yield();
      request->Put(At(
          0, step, step == kSteps ? StopReason::kMaxSteps : StopReason::kNone));
    }
  });
  uint32_t next = 0;
  std::vector<Prediction> taken;
  for (bool finished = false; !finished;) {
    finished = request->Take(taken);
    for (const Prediction& p : taken) EXPECT_EQ(p.step, next++);
  }
  engine.join();
  EXPECT_EQ(next, kSteps + 1);
}

}  // namespace
}  // namespace mre
