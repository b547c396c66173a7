#include "client/cc/async_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "tests/client/fake_server.h"

namespace mre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

v1::PredictRequest Request(const std::string& model, uint32_t max_steps,
                           const std::string& id = "r") {
  v1::PredictRequest request;
  request.set_model_name(model);
  request.set_request_id(id);
  request.mutable_budget()->set_max_steps(max_steps);
  return request;
}

// Keeps what it is told.
class Diary : public CallListener {
 public:
  void OnUpdate(const v1::PredictUpdate& update) override {
    EXPECT_FALSE(done_.HasBeenNotified());
    absl::MutexLock lock(&mu_);
    ids_.push_back(update.request_id());
    for (const auto& prediction : update.predictions()) {
      steps_.push_back(prediction.step());
    }
  }
  void OnDone(const absl::Status& status) override {
    status_ = status;
    done_.Notify();
  }

  absl::Status Wait() {
    if (!done_.WaitForNotificationWithTimeout(kLong)) {
      return absl::InternalError("not done");
    }
    return status_;
  }
  bool done() const { return done_.HasBeenNotified(); }
  std::vector<uint32_t> steps() const {
    absl::MutexLock lock(&mu_);
    return steps_;
  }
  // Waits for so many updates.
  std::vector<std::string> Ids(size_t count) const {
    const auto enough = [this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return ids_.size() >= count;
    };
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&enough), kLong);
    return ids_;
  }

 private:
  absl::Notification done_;
  absl::Status status_;
  mutable absl::Mutex mu_;
  std::vector<std::string> ids_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> steps_ ABSL_GUARDED_BY(mu_);
};

class AsyncCallsTest : public testing::Test {
 protected:
  FakeServer server_;
  const std::unique_ptr<Client> client_ = server_.Connect();
  AsyncCalls calls_{client_.get()};
};

TEST_F(AsyncCallsTest, PredictTellsTheUpdateThenTheEnd) {
  Diary diary;
  calls_.Predict(Request("fake", 3), {}, &diary);
  EXPECT_TRUE(diary.Wait().ok());
  EXPECT_THAT(diary.steps(), ElementsAre(3));
}

TEST_F(AsyncCallsTest, StreamTellsEveryUpdateInOrder) {
  Diary diary;
  calls_.Stream(Request("fake", 4), {}, &diary);
  EXPECT_TRUE(diary.Wait().ok());
  EXPECT_THAT(diary.steps(), ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(AsyncCallsTest, ErrorsAreThoseOfTheWaitingCalls) {
  Diary busy;
  Diary missing;
  calls_.Predict(Request("busy", 1), {}, &busy);
  calls_.Stream(Request("gone", 1), {}, &missing);
  const absl::Status status = busy.Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(status), absl::Milliseconds(20));
  EXPECT_EQ(missing.Wait().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(busy.steps().empty());
}

TEST_F(AsyncCallsTest, ADeadlineEndsAStream) {
  Diary diary;
  CallOptions options;
  options.timeout = absl::Milliseconds(30);
  calls_.Stream(Request("fake", 0), options, &diary);  // Goes on for ever.
  EXPECT_EQ(diary.Wait().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(AsyncCallsTest, ManyRunAtOnceAndCancelAllEndsThem) {
  std::vector<std::unique_ptr<Diary>> diaries;
  for (int i = 0; i < 4; ++i) {
    diaries.push_back(std::make_unique<Diary>());
    calls_.Stream(Request("fake", 0), {}, diaries.back().get());
  }
  for (const auto& diary : diaries) diary->Ids(1);
  calls_.CancelAll();
  for (const auto& diary : diaries) {
    EXPECT_EQ(diary->Wait().code(), absl::StatusCode::kCancelled);
  }
  Diary next;
  calls_.Predict(Request("fake", 1), {}, &next);
  EXPECT_TRUE(next.Wait().ok());
}

TEST_F(AsyncCallsTest, TheEndOfTheObjectIsTheEndOfItsCalls) {
  Diary diary;
  {
    AsyncCalls calls(client_.get());
    calls.Stream(Request("fake", 0), {}, &diary);
  }
  EXPECT_TRUE(diary.done());
  EXPECT_EQ(diary.Wait().code(), absl::StatusCode::kCancelled);
}

// Starts an endless stream when one has ended, so many times.
class Restarting : public CallListener {
 public:
  Restarting(AsyncCalls* calls, int times) : calls_(calls), left_(times) {}

  void Start() { calls_->Stream(Request("fake", 0), {}, this); }
  void OnUpdate(const v1::PredictUpdate&) override {}
  void OnDone(const absl::Status& status) override {
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    if (left_-- > 0) Start();
  }
  int left() const { return left_; }

 private:
  AsyncCalls* const calls_;
  int left_;
};

TEST_F(AsyncCallsTest, TheEndOfTheObjectIsTheEndOfCallsThatItsCallsStart) {
  auto calls = std::make_unique<AsyncCalls>(client_.get());
  Restarting listener(calls.get(), 3);
  listener.Start();
  calls.reset();
  EXPECT_EQ(listener.left(), -1);
}

TEST_F(AsyncCallsTest, ASessionCarriesManyRequests) {
  Diary diary;
  const auto session = calls_.OpenSession({}, &diary);
  EXPECT_TRUE(session->Open(Request("fake", 0, "a")).ok());
  EXPECT_TRUE(session->Open(Request("fake", 0, "b")).ok());
  EXPECT_TRUE(session->Open(Request("fake", 0, "c")).ok());
  EXPECT_THAT(diary.Ids(3), ElementsAre("a", "b", "c"));
  const absl::Status unnamed = session->Open(Request("fake", 0, ""));
  EXPECT_EQ(unnamed.code(), absl::StatusCode::kInvalidArgument);
  session->Cancel();
  EXPECT_EQ(diary.Wait().code(), absl::StatusCode::kCancelled);
  const absl::Status late = session->Open(Request("fake", 0, "d"));
  EXPECT_EQ(late.code(), absl::StatusCode::kUnavailable);
}

TEST_F(AsyncCallsTest, ASessionThatTheServerEndsSaysWhy) {
  Diary diary;
  const auto session = calls_.OpenSession({}, &diary);
  ASSERT_TRUE(session->Open(Request("gone", 0, "a")).ok());
  const absl::Status status = diary.Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no such model"));
}

TEST_F(AsyncCallsTest, TheEndOfASessionIsTheEndOfItsStream) {
  Diary diary;
  {
    const auto session = calls_.OpenSession({}, &diary);
    ASSERT_TRUE(session->Open(Request("fake", 0, "a")).ok());
  }
  EXPECT_TRUE(diary.done());
}

}  // namespace
}  // namespace mre
