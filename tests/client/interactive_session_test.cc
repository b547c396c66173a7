#include "client/cc/interactive_session.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/status/status.h"
#include "client/cc/client.h"
#include "tests/client/fake_server.h"

namespace mre {
namespace {

v1::PredictRequest Request(const std::string& id,
                           const std::string& model = "fake") {
  v1::PredictRequest request;
  request.set_model_name(model);
  request.set_request_id(id);
  return request;
}

class InteractiveSessionTest : public testing::Test {
 protected:
  // The next prediction. Fails the test when there is none.
  v1::Prediction Next(const std::string& id) {
    const auto update = session_->Read();
    if (!update.ok() || !update->has_value()) {
      ADD_FAILURE() << update.status();
      return {};
    }
    EXPECT_EQ((*update)->request_id(), id);
    return (*update)->predictions(0);
  }

  FakeServer server_;
  const std::unique_ptr<Client> client_ = server_.Connect();
  std::unique_ptr<InteractiveSession> session_ = client_->OpenSession();
};

TEST_F(InteractiveSessionTest, SteersRequestsByTheirIds) {
  ASSERT_TRUE(session_->Open(Request("a")).ok());
  EXPECT_EQ(Next("a").step(), 0u);
  ASSERT_TRUE(session_->Open(Request("b")).ok());
  EXPECT_EQ(Next("b").step(), 0u);
  v1::Budget budget;
  budget.set_max_steps(9);
  ASSERT_TRUE(session_->SetBudget("a", budget).ok());
  EXPECT_EQ(Next("a").step(), 9u);
  ASSERT_TRUE(session_->Stop("b").ok());
  EXPECT_EQ(Next("b").stop_reason(), v1::STOP_REASON_CLIENT_STOP);
  ASSERT_TRUE(session_->CloseWrites().ok());
  for (int i = 0; i < 2; ++i) {  // The end stays the end.
    const auto end = session_->Read();
    ASSERT_TRUE(end.ok()) << end.status();
    EXPECT_FALSE(end->has_value());
  }
}

TEST_F(InteractiveSessionTest, OneThreadWritesWhileAnotherReads) {
  constexpr int kRequests = 200;
  std::thread writer([&] {
    for (int i = 0; i < kRequests; ++i) {
      EXPECT_TRUE(session_->Open(Request("a")).ok());
    }
    EXPECT_TRUE(session_->CloseWrites().ok());
  });
  for (int i = 0; i < kRequests; ++i) Next("a");
  const auto end = session_->Read();
  writer.join();
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_FALSE(end->has_value());
}

TEST_F(InteractiveSessionTest, ReadSaysHowTheServerEndedIt) {
  ASSERT_TRUE(session_->Open(Request("a", "busy")).ok());
  for (int i = 0; i < 2; ++i) {
    const auto end = session_->Read();
    EXPECT_EQ(end.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(RetryAfter(end.status()), absl::Milliseconds(20));
  }
  EXPECT_EQ(session_->Stop("a").code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(session_->CloseWrites().ok());
}

TEST_F(InteractiveSessionTest, CancelEndsIt) {
  ASSERT_TRUE(session_->Open(Request("a")).ok());
  Next("a");
  std::thread other([&] { session_->Cancel(); });
  const auto end = session_->Read();
  other.join();
  EXPECT_EQ(end.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(InteractiveSessionTest, RefusesWhatCannotBeSent) {
  EXPECT_EQ(session_->Open(Request("")).code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(session_->CloseWrites().ok());
  EXPECT_TRUE(session_->CloseWrites().ok());
  EXPECT_EQ(session_->Open(Request("a")).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(InteractiveSessionTest, EndsWhenItIsDestroyed) {
  ASSERT_TRUE(session_->Open(Request("a")).ok());
  session_.reset();
}

TEST_F(InteractiveSessionTest, TimeoutIsTheWholeSessions) {
  CallOptions call;
  call.timeout = absl::Milliseconds(50);
  session_ = client_->OpenSession(call);
  EXPECT_EQ(session_->Read().status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace mre
