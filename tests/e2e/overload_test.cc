// More requests than can be served: those that are admitted get fewer steps,
// those that the queue cannot hold RESOURCE_EXHAUSTED.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/mre/v1/anytime.grpc.pb.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

struct Call {
  grpc::ClientContext context;
  v1::PredictRequest request;
  v1::PredictUpdate response;
  grpc::Status status;
};

// Sends all at once and waits for their ends.
std::vector<std::unique_ptr<Call>> Send(
    const ServerProcess& server,
    const std::vector<v1::PredictRequest>& requests) {
  const auto stub = v1::AnytimeInference::NewStub(
      grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials()));
  std::vector<std::unique_ptr<Call>> calls;
  absl::BlockingCounter left(static_cast<int>(requests.size()));
  for (const v1::PredictRequest& request : requests) {
    calls.push_back(std::make_unique<Call>());
    Call& call = *calls.back();
    call.request = request;
    stub->async()->Predict(&call.context, &call.request, &call.response,
                           [&call, &left](grpc::Status status) {
                             call.status = status;
                             left.DecrementCount();
                           });
  }
  left.Wait();
  return calls;
}

TEST(OverloadTest, EachOfAThousandRequestsOnAQueueOfAHundredIsAnswered) {
  ASSERT_OK_AND_ASSIGN(
      const auto server,
      ServerProcess::Start({"--max_active_rows=4", "--max_queued_rows=100",
                            "--max_rows_per_request=1", "--max_queue_ms=0",
                            "--brownout=off"}));
  constexpr int kCalls = 1000;
  std::vector<v1::PredictRequest> requests;
  for (int i = 0; i < kCalls; ++i) {
    requests.push_back(MakeRequest(kSlow, 1, i));
    requests.back().mutable_budget()->set_max_steps(100);
  }
  const auto calls = Send(*server, requests);
  int answered = 0;
  int refused = 0;
  for (const auto& call : calls) {
    if (call->status.ok()) {
      ++answered;
      ASSERT_EQ(call->response.predictions_size(), 1);
      EXPECT_EQ(call->response.predictions(0).step(), 100u);
      continue;
    }
    ++refused;
    ASSERT_EQ(call->status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
        << call->status.error_message();
    EXPECT_THAT(call->status.error_message(),
                testing::HasSubstr("queue is full"));
    EXPECT_EQ(call->context.GetServerTrailingMetadata().count(
                  "grpc-retry-pushback-ms"),
              1u);
  }
  EXPECT_EQ(answered + refused, kCalls);
  EXPECT_GE(answered, 100);
  EXPECT_GT(refused, 0);
  const MetricsPage page = server->Metrics();
  EXPECT_EQ(page.Sum("mre_requests_total", {"code=\"OK\""}), answered);
  EXPECT_EQ(page.Sum("mre_requests_total", {"code=\"RESOURCE_EXHAUSTED\""}),
            refused);
  EXPECT_EQ(page.Sum("mre_rows_total"), answered);
  EXPECT_EQ(page.Sum("mre_stops_total", {"reason=\"overload\""}), 0);
}

// One client's rows wait; another's are taken. Each has a connection of its
// own.
TEST(OverloadTest, AClientWhoseRowsWaitIsRefusedAndOthersAreNot) {
  ASSERT_OK_AND_ASSIGN(
      const auto server,
      ServerProcess::Start(
          {"--max_active_rows=1", "--max_queue_ms=20", "--brownout=off"}));
  const auto connect = [&](int number) {
    grpc::ChannelArguments own;  // or channels would share one
    own.SetInt("mre.client", number);
    return v1::AnytimeInference::NewStub(grpc::CreateCustomChannel(
        server->target(), grpc::InsecureChannelCredentials(), own));
  };
  const auto greedy = connect(1);
  const auto other = connect(2);
  // Of one row each, all steps of which take a while.
  v1::PredictRequest request = MakeRequest(kSlow, 256);
  absl::BlockingCounter left(1);
  grpc::ClientContext context;
  v1::PredictUpdate response;
  grpc::Status status;
  greedy->async()->Predict(&context, &request, &response,
                           [&](grpc::Status ended) {
                             status = ended;
                             left.DecrementCount();
                           });
  const auto ask = [](v1::AnytimeInference::Stub& stub,
                      std::chrono::milliseconds limit) {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + limit);
    v1::PredictUpdate answer;
    v1::PredictRequest short_one = MakeRequest(kQuick);
    short_one.mutable_budget()->set_max_steps(1);
    return stub.Predict(&call, short_one, &answer);
  };
  // What is admitted before they have waited for so long waits behind them.
  grpc::Status refused;
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (refused.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED &&
         absl::Now() < deadline) {
    refused = ask(*greedy, std::chrono::milliseconds(30));
  }
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(),
              testing::HasSubstr("a row of this client has waited"));
  EXPECT_TRUE(ask(*other, std::chrono::seconds(60)).ok());
  EXPECT_GT(server->Metrics().Sum("mre_queued_rows"), 0)
      << "the other was served while the first one's rows wait";
  context.TryCancel();
  left.Wait();
}

// Each request of eight rows fills the four places, so that from the first on
// rows wait, however slow the machine is to send the others.
TEST(OverloadTest, RowsAreLoweredNotRefusedAndGetAllOnceItIsOver) {
  constexpr uint32_t kFloor = 6;
  ASSERT_OK_AND_ASSIGN(
      const auto server,
      ServerProcess::Start({"--max_active_rows=4", "--max_queued_rows=10000",
                            "--max_queue_ms=0", "--brownout_begin_ms=0",
                            "--brownout_end_ms=0", "--brownout_full_ms=0.001",
                            absl::StrCat("--brownout_floor=", kFloor)}));
  constexpr int kCalls = 100;
  constexpr int kRows = 8;
  constexpr uint32_t kAsked = 400;
  std::vector<v1::PredictRequest> requests;
  for (int i = 0; i < kCalls; ++i) {
    requests.push_back(MakeRequest(kSlow, kRows, i));
    // Some ask for fewer steps than anybody is denied.
    requests.back().mutable_budget()->set_max_steps(i % 4 == 0 ? 3 : kAsked);
    requests.back().mutable_output()->set_probabilities(true);
  }
  const auto calls = Send(*server, requests);
  const auto client = server->Connect();
  ASSERT_NE(client, nullptr);
  double lowered = 0;
  double granted = 0;
  double asked = 0;
  for (const auto& call : calls) {
    ASSERT_TRUE(call->status.ok()) << call->status.error_message();
    ASSERT_EQ(call->response.predictions_size(), kRows);
    const uint32_t limit = call->request.budget().max_steps();
    for (const v1::Prediction& p : call->response.predictions()) {
      granted += p.step();
      asked += limit;
      if (p.step() == limit) {
        EXPECT_EQ(p.stop_reason(), v1::STOP_REASON_MAX_STEPS);
        continue;
      }
      ++lowered;
      EXPECT_EQ(p.stop_reason(), v1::STOP_REASON_OVERLOAD);
      EXPECT_GE(p.step(), kFloor);
    }
  }
  // Of three calls in four, and of each at least the rows that begin first.
  EXPECT_GE(lowered, kCalls * kRows / 4);
  const MetricsPage page = server->Metrics();
  EXPECT_EQ(page.Sum("mre_stops_total", {"reason=\"overload\""}), lowered);
  EXPECT_EQ(page.Sum("mre_steps_granted_total"), granted);
  EXPECT_EQ(page.Sum("mre_steps_asked_total"), asked);
  EXPECT_EQ(page.Sum("mre_step_cap", {"model=\"slow\""}), kSlowSteps);

  // A lowered prediction is what the row is given that asks for so many steps;
  // and now nobody is denied any.
  for (const auto& call : calls) {
    const v1::Prediction& p = call->response.predictions(0);
    if (p.stop_reason() != v1::STOP_REASON_OVERLOAD) continue;
    v1::PredictRequest request = MakeRequest(kSlow, 1);
    *request.mutable_output() = call->request.output();
    request.mutable_input()->set_data(call->request.input().data().substr(
        0, call->request.input().data().size() / kRows));
    request.mutable_budget()->set_max_steps(p.step());
    ASSERT_OK_AND_ASSIGN(const auto again, client->Predict(request));
    EXPECT_EQ(again.predictions(0).stop_reason(), v1::STOP_REASON_MAX_STEPS);
    EXPECT_THAT(again.predictions(0).probabilities(),
                testing::ElementsAreArray(p.probabilities()));
    break;
  }
  ASSERT_OK_AND_ASSIGN(const auto all, client->Predict(MakeRequest(kSlow)));
  EXPECT_EQ(all.predictions(0).step(), kSlowSteps);
  EXPECT_EQ(all.predictions(0).stop_reason(), v1::STOP_REASON_EXHAUSTED);
}

}  // namespace
}  // namespace mre
