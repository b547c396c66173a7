#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/loadtest/runner.h"

namespace mre {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

// Two threads end what was started, in any order, once it is released.
class FakeTransport : public Transport {
 public:
  FakeTransport() {
    for (std::thread& thread : threads_) {
      thread = std::thread([this] { Work(); });
    }
  }
  ~FakeTransport() override {
    {
      absl::MutexLock lock(&mu_);
      over_ = true;
    }
    for (std::thread& thread : threads_) thread.join();
  }

  void Start(uint64_t, v1::PredictRequest request,
             CallListener* listener) override {
    absl::MutexLock lock(&mu_);
    ids_.insert(request.request_id());
    ++started_;
    most_ = std::max(most_, ++in_flight_);
    running_.push_back(listener);
  }
  void CancelAll() override {
    while (CallListener* const listener = Next()) {
      listener->OnDone(absl::CancelledError("cancelled"));
    }
  }

  // From now on requests end.
  void Release() {
    absl::MutexLock lock(&mu_);
    released_ = true;
  }
  // Waits until so many have been started; false: not in a long time.
  bool AwaitStarted(int count) const {
    const auto enough = [this, count] {
      mu_.AssertHeld();
      return started_ >= count;
    };
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&enough), kLong);
  }
  int started() const {
    absl::MutexLock lock(&mu_);
    return started_;
  }
  // The ids of those that were.
  size_t ids() const {
    absl::MutexLock lock(&mu_);
    return ids_.size();
  }
  // So many were in flight at once.
  int most() const {
    absl::MutexLock lock(&mu_);
    return most_;
  }

 private:
  // One that runs, which then does no longer; null: there is none.
  CallListener* Next() {
    absl::MutexLock lock(&mu_);
    if (running_.empty()) return nullptr;
    CallListener* const listener = running_.front();
    running_.pop_front();
    --in_flight_;
    return listener;
  }
  void Work() {
    const auto ready = [this] {
      mu_.AssertHeld();
      return over_ || (released_ && !running_.empty());
    };
    v1::PredictUpdate update;
    update.add_predictions()->set_final(true);
    while (true) {
      {
        absl::MutexLock lock(&mu_);
        mu_.Await(absl::Condition(&ready));
        if (over_) return;
      }
      CallListener* const listener = Next();
      if (listener == nullptr) continue;
      listener->OnUpdate(update);
      listener->OnDone(absl::OkStatus());
    }
  }

  mutable absl::Mutex mu_;
  std::deque<CallListener*> running_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> ids_ ABSL_GUARDED_BY(mu_);
  int started_ ABSL_GUARDED_BY(mu_) = 0;
  int in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  int most_ ABSL_GUARDED_BY(mu_) = 0;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  std::thread threads_[2];
};

// Refuses every request before Start returns.
class RefusingTransport : public Transport {
 public:
  void Start(uint64_t, v1::PredictRequest, CallListener* listener) override {
    ++started;
    listener->OnDone(absl::ResourceExhaustedError("full"));
  }
  void CancelAll() override {}

  int started = 0;  // The runner's thread only.
};

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() { options_.warmup = absl::ZeroDuration(); }

  // Uniform arrivals, the first after half of a gap.
  void Open(double rate, int max_in_flight) {
    options_.arrivals = {Arrival::kUniform, rate, 0};
    options_.max_in_flight = max_in_flight;
  }
  Runner MakeRunner(Transport& transport) {
    return Runner(options_, &mix_, &inputs_, &transport, &recorder_);
  }
  Tally Results() const { return recorder_.Results()[0].tally; }

  LoadOptions options_;
  const ClassMix mix_ = ClassMix::Make({}, BudgetFlags()).value();
  const Inputs inputs_ = Inputs::Random({2}, 0).value();
  Recorder recorder_{Recorder::Options()};
  FakeTransport transport_;
};

TEST_F(RunnerTest, AClosedLoopKeepsItsPlacesTakenUntilAllHaveRun) {
  options_.concurrency = 8;
  options_.requests = 500;
  Runner runner = MakeRunner(transport_);
  runner.Start(NowNanos());
  ASSERT_TRUE(transport_.AwaitStarted(8));
  transport_.Release();
  ASSERT_TRUE(runner.AwaitStopped(kLong));
  ASSERT_TRUE(runner.AwaitEnded(kLong));
  EXPECT_EQ(transport_.most(), 8);
  EXPECT_EQ(transport_.started(), 500);
  EXPECT_EQ(transport_.ids(), 500u);
  EXPECT_EQ(runner.state().started, 500u);
  EXPECT_EQ(Results().ok, 500u);
}

TEST_F(RunnerTest, WhatIsDueWithoutAPlaceIsCountedWithoutALatency) {
  Open(/*rate=*/1000, /*max_in_flight=*/2);
  options_.duration = absl::Seconds(1);
  Runner runner = MakeRunner(transport_);
  runner.Start(NowNanos());
  ASSERT_TRUE(runner.AwaitStopped(kLong));
  EXPECT_EQ(runner.state().started, 2u);
  EXPECT_EQ(runner.state().held_back, 1u);
  EXPECT_EQ(runner.state().not_started, 998u);
  EXPECT_FALSE(runner.AwaitEnded(absl::ZeroDuration()));
  runner.CancelAll(absl::CancelledError("took too long"));
  ASSERT_TRUE(runner.AwaitEnded(kLong));
  EXPECT_EQ(runner.state().cancelled, 2u);
  const Tally results = Results();
  EXPECT_EQ(results.requests, 2u);
  EXPECT_EQ(results.failures.at(absl::StatusCode::kCancelled).example,
            "took too long");
}

TEST_F(RunnerTest, TheWindowDoesNotWaitForABacklogOfTheWarmup) {
  Open(/*rate=*/1000, /*max_in_flight=*/1);
  options_.warmup = absl::Milliseconds(200);
  options_.requests = 20;
  Runner runner = MakeRunner(transport_);
  runner.Start(NowNanos());
  const Nanos from = runner.state().from;
  ASSERT_TRUE(transport_.AwaitStarted(1));
  while (NowNanos() < from) std::this_thread::yield();
  transport_.Release();
  ASSERT_TRUE(runner.AwaitStopped(kLong));
  ASSERT_TRUE(runner.AwaitEnded(kLong));
  EXPECT_EQ(runner.state().started, 20u);
  EXPECT_LE(transport_.started(), 21);  // Of the warmup only the one held.
}

TEST_F(RunnerTest, APlaceWhoseRequestFailedIsTakenAgain) {
  options_.requests = 3;
  RefusingTransport refusing;
  Runner runner = MakeRunner(refusing);
  runner.Start(NowNanos());
  ASSERT_TRUE(runner.AwaitStopped(kLong));
  EXPECT_EQ(Results().failed(), 3u);
}

TEST_F(RunnerTest, APlaceWhoseRequestFailedRestsFirst) {
  options_.duration = absl::Milliseconds(100);
  RefusingTransport refusing;
  Runner runner = MakeRunner(refusing);
  runner.Start(NowNanos());
  ASSERT_TRUE(runner.AwaitStopped(kLong));
  EXPECT_LE(refusing.started, 11);  // One each 10 ms.
}

TEST_F(RunnerTest, StoppedInTheWarmupItHasMeasuredNothing) {
  options_.concurrency = 4;
  options_.warmup = absl::Minutes(10);
  transport_.Release();
  Runner runner = MakeRunner(transport_);
  runner.Start(NowNanos());
  ASSERT_TRUE(transport_.AwaitStarted(50));
  runner.Stop();
  ASSERT_TRUE(runner.AwaitStopped(kLong));
  ASSERT_TRUE(runner.AwaitEnded(kLong));
  EXPECT_EQ(runner.state().started, 0u);
  EXPECT_EQ(runner.state().from, runner.state().to);
  EXPECT_EQ(Results().requests, 0u);
  EXPECT_GE(recorder_.TakeProgress().ok, 50u);
}

TEST_F(RunnerTest, ItsEndIsTheEndOfItsRequests) {
  options_.concurrency = 4;
  {
    Runner runner = MakeRunner(transport_);
    runner.Start(NowNanos());
    ASSERT_TRUE(transport_.AwaitStarted(4));
    transport_.Release();
  }
  EXPECT_EQ(Results().ok, static_cast<uint64_t>(transport_.started()));
}

}  // namespace
}  // namespace mre
