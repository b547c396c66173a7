#include "client/loadtest/session_lane.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "tests/client/fake_server.h"

namespace mre {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

// One request; it must be told of its own updates only, and once of its end.
class Asker : public CallListener {
 public:
  Asker(const std::string& id, const std::string& model, uint32_t max_steps) {
    request_.set_request_id(id);
    request_.set_model_name(model);
    request_.mutable_budget()->set_max_steps(max_steps);
  }

  void Ask(SessionLane& lane) { lane.Start(request_, this); }

  void OnUpdate(const v1::PredictUpdate& update) override {
    EXPECT_EQ(update.request_id(), request_.request_id());
    EXPECT_FALSE(done_.HasBeenNotified());
  }
  void OnDone(const absl::Status& status) override {
    status_ = status;
    done_.Notify();
  }

  absl::StatusCode Wait() {
    EXPECT_TRUE(done_.WaitForNotificationWithTimeout(kLong));
    return done() ? status_.code() : absl::StatusCode::kUnknown;
  }
  bool done() const { return done_.HasBeenNotified(); }

 private:
  v1::PredictRequest request_;
  absl::Status status_;
  absl::Notification done_;
};

class SessionLaneTest : public testing::Test {
 protected:
  FakeServer server_;
  const std::unique_ptr<Client> client_ = server_.Connect();
  AsyncCalls calls_{client_.get()};
  std::unique_ptr<SessionLane> lane_ = std::make_unique<SessionLane>(&calls_);
};

TEST_F(SessionLaneTest, TellsEachListenerOfItsOwnRequest) {
  Asker open("a", "fake", 0);
  Asker ends("b", "fake", 3);
  Asker refused("c", "full", 3);
  for (Asker* asker : {&open, &ends, &refused}) asker->Ask(*lane_);
  EXPECT_EQ(ends.Wait(), absl::StatusCode::kOk);
  EXPECT_EQ(refused.Wait(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(open.done());
  lane_.reset();
  EXPECT_TRUE(open.done());
  EXPECT_EQ(open.Wait(), absl::StatusCode::kCancelled);
}

TEST_F(SessionLaneTest, AStreamThatHasEndedIsOpenedAnew) {
  Asker open("a", "fake", 0);
  Asker fatal("b", "gone", 1);
  open.Ask(*lane_);
  fatal.Ask(*lane_);  // The server ends the stream.
  EXPECT_EQ(fatal.Wait(), absl::StatusCode::kNotFound);
  EXPECT_EQ(open.Wait(), absl::StatusCode::kNotFound);
  Asker next("a", "fake", 1);
  next.Ask(*lane_);
  EXPECT_EQ(next.Wait(), absl::StatusCode::kOk);
  Asker cancelled("b", "fake", 0);
  cancelled.Ask(*lane_);
  lane_->Cancel();
  EXPECT_EQ(cancelled.Wait(), absl::StatusCode::kCancelled);
  Asker last("c", "fake", 1);
  last.Ask(*lane_);
  EXPECT_EQ(last.Wait(), absl::StatusCode::kOk);
}

// Starts meet the stream's end at any point of it.
TEST_F(SessionLaneTest, EveryListenerIsToldWhateverEndsTheStreamMeanwhile) {
  std::vector<std::unique_ptr<Asker>> askers;
  for (int i = 0; i < 300; ++i) {
    askers.push_back(std::make_unique<Asker>(absl::StrCat(i),
                                             i % 10 == 9 ? "gone" : "fake", 1));
    askers.back()->Ask(*lane_);
  }
  for (const auto& asker : askers) {
    const absl::StatusCode code = asker->Wait();
    EXPECT_TRUE(code == absl::StatusCode::kOk ||
                code == absl::StatusCode::kNotFound)
        << absl::StatusCodeToString(code);
  }
}

}  // namespace
}  // namespace mre
