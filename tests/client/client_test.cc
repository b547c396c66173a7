#include "client/cc/client.h"

#include <gmock/gmock.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "tests/client/fake_server.h"
#include "tests/support/mute_server.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::PredictRequest Request(const std::string& model, uint32_t max_steps) {
  v1::PredictRequest request;
  request.set_model_name(model);
  request.set_request_id("r");
  request.mutable_budget()->set_max_steps(max_steps);
  return request;
}

class ClientTest : public testing::Test {
 protected:
  FakeServer server_;
  const std::unique_ptr<Client> client_ = server_.Connect();
};

TEST_F(ClientTest, PredictReturnsTheUpdate) {
  const auto update = client_->Predict(Request("fake", 3));
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_EQ(update->request_id(), "r");
  ASSERT_EQ(update->predictions_size(), 1);
  EXPECT_EQ(update->predictions(0).step(), 3u);
}

TEST_F(ClientTest, HasAConnectionOfItsOwn) {
  const auto other = server_.Connect();
  ASSERT_TRUE(client_->Predict(Request("fake", 1)).ok());
  ASSERT_TRUE(other->Predict(Request("fake", 1)).ok());
  EXPECT_EQ(server_.service().connections(), 2u);
}

TEST_F(ClientTest, StreamGivesEveryUpdateInOrder) {
  uint32_t next = 0;
  const absl::Status status =
      client_->Stream(Request("fake", 5), [&](const v1::PredictUpdate& update) {
        EXPECT_EQ(update.predictions(0).step(), next++);
        return true;
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(next, 6u);
}

TEST_F(ClientTest, StreamEndsOkWhenTheCallerHasEnough) {
  int calls = 0;
  const absl::Status status =
      client_->Stream(Request("fake", 0),
                      [&](const v1::PredictUpdate&) { return ++calls < 3; });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(calls, 3);
  server_.server().Shutdown();  // Waits for the handler.
  EXPECT_EQ(server_.service().cancelled(), 1);
}

TEST_F(ClientTest, ErrorsKeepCodeMessageAndPushback) {
  const auto missing = client_->Predict(Request("other", 1));
  EXPECT_EQ(missing.status(), absl::NotFoundError("no such model"));
  const auto busy = client_->Predict(Request("busy", 1));
  EXPECT_EQ(busy.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(busy.status().message(),
            "the queue is full (the server asks to retry after 20ms)");
  EXPECT_EQ(RetryAfter(busy.status()), absl::Milliseconds(20));
  const absl::Status stream = client_->Stream(
      Request("busy", 1), [](const v1::PredictUpdate&) { return true; });
  EXPECT_EQ(RetryAfter(stream), absl::Milliseconds(20));
}

TEST_F(ClientTest, TimeoutEndsTheCall) {
  CallOptions call;
  call.timeout = absl::Milliseconds(50);
  const absl::Status status = client_->Stream(
      Request("fake", 0), [](const v1::PredictUpdate&) { return true; }, call);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

TEST_F(ClientTest, ListsAndDescribesModels) {
  const auto list = client_->ListModels();
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->models_size(), 1);
  EXPECT_EQ(list->models(0).model_name(), "fake");
  const auto info = client_->GetModel("fake", 7);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->model_name(), "fake");
  EXPECT_EQ(info->model_version(), 7);
}

TEST_F(ClientTest, FindsOnlyAModelThatIsReady) {
  EXPECT_EQ(client_->FindModel("")->model_name(), "fake");
  EXPECT_EQ(client_->FindModel("fake", 7)->model_version(), 7);
  EXPECT_EQ(client_->GetModel("broken", 2)->state(), v1::MODEL_STATE_FAILED);
  EXPECT_EQ(client_->FindModel("broken", 2).status(),
            absl::UnavailableError(
                "model \"broken\" version 2 is not ready: byte 7 is odd"));
}

TEST_F(ClientTest, HealthFollowsTheServer) {
  EXPECT_EQ(client_->Health().value(), ServingStatus::kServing);
  server_.server().GetHealthCheckService()->SetServingStatus(
      "mre.v1.AnytimeInference", false);
  EXPECT_EQ(client_->Health("mre.v1.AnytimeInference").value(),
            ServingStatus::kNotServing);
  EXPECT_EQ(client_->Health("nothing").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ClientTest, LargerMessagesThanTheLimitAreRefused) {
  ClientOptions options;
  options.target = server_.target();
  options.max_message_bytes = 1000;
  const auto client = Client::Connect(options);
  ASSERT_TRUE(client.ok()) << client.status();
  v1::PredictRequest request = Request("fake", 1);
  request.mutable_input()->set_data(std::string(2000, 'x'));
  EXPECT_EQ((*client)->Predict(request).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(ClientTest, CallsFailWithUnavailableWhenTheServerIsGone) {
  server_.server().Shutdown();
  EXPECT_EQ(client_->Predict(Request("fake", 1)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(ClientConnectTest, GivesUpAfterTheTimeout) {
  // A port that was free a moment ago.
  const std::string target = FakeServer().target();
  ClientOptions options;
  options.target = target;
  options.connect_timeout = absl::Milliseconds(50);
  const auto client = Client::Connect(options);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(client.status().message()),
              AllOf(HasSubstr("no connection to " + target + " within 50ms"),
                    HasSubstr("Connection refused"),
                    HasSubstr("is mre-server running there?")));
}

// As one far away does at first.
TEST(ClientConnectTest, WaitsForASlowGreetingOnOneConnection) {
  MuteServer server;
  ClientOptions options;
  options.target = server.target();
  options.connect_timeout = absl::Seconds(1);
  EXPECT_EQ(Client::Connect(options).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.HangUp(), 1);
}

TEST(ClientConnectTest, KeepsATokenFromGoingOutInTheClear) {
  ClientOptions options;
  options.connect_timeout = absl::Milliseconds(1);
  options.target = "192.0.2.1:1";
  options.token = "s3cret-0123456789";
  const auto code = [&] { return Client::Connect(options).status().code(); };
  const absl::Status status = Client::Connect(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("in the clear"), Not(HasSubstr("s3cret"))));
  // Only then is anybody asked.
  options.allow_plaintext_token = true;
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  options.allow_plaintext_token = false;
  options.tls.on = true;
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  options.tls.on = false;
  options.target = "127.0.0.1:1";
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  options.token = "two words";
  EXPECT_EQ(code(), absl::StatusCode::kInvalidArgument);
}

TEST(ClientConnectTest, RefusesCertificatesThatCannotWork) {
  const auto message = [](const ClientOptions::Tls& tls) {
    ClientOptions options;
    options.connect_timeout = absl::Milliseconds(1);
    options.tls = tls;
    const absl::Status status = Client::Connect(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  ClientOptions::Tls tls;
  tls.ca_cert_file = "/no/such";
  EXPECT_THAT(message(tls), HasSubstr("without TLS"));
  tls.on = true;
  EXPECT_THAT(message(tls),
              AllOf(HasSubstr("authorities"), HasSubstr("/no/such")));
  tls.ca_cert_file = "/dev/null";
  EXPECT_THAT(message(tls), HasSubstr("/dev/null"));
  tls.ca_cert_file = "";
  tls.client_cert_file = "/no/such";
  EXPECT_THAT(message(tls), HasSubstr("need each other"));
}

TEST(ClientConnectTest, RefusesOptionsThatCannotWork) {
  ClientOptions options;
  for (const char* target :
       {"", "localhost", ":8001", "localhost:", "localhost:http", "localhost:0",
        "localhost:65536", "[::1]", "::1:8001"}) {
    options.target = target;
    EXPECT_EQ(Client::Connect(options).status().code(),
              absl::StatusCode::kInvalidArgument)
        << target;
  }
  options = ClientOptions();
  options.max_message_bytes = 0;
  EXPECT_EQ(Client::Connect(options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mre
