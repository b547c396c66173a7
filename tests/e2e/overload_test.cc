// More requests than the queue holds: each is answered, by a result or by
// RESOURCE_EXHAUSTED.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/mre/v1/anytime.grpc.pb.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

TEST(OverloadTest, EachOfAThousandRequestsOnAQueueOfAHundredIsAnswered) {
  ASSERT_OK_AND_ASSIGN(
      const auto server,
      ServerProcess::Start({"--max_active_rows=4", "--max_queued_rows=100",
                            "--max_rows_per_request=1"}));
  const auto stub = v1::AnytimeInference::NewStub(grpc::CreateChannel(
      server->target(), grpc::InsecureChannelCredentials()));
  struct Call {
    grpc::ClientContext context;
    v1::PredictRequest request;
    v1::PredictUpdate response;
    grpc::Status status;
  };
  constexpr int kCalls = 1000;
  std::vector<std::unique_ptr<Call>> calls;
  absl::BlockingCounter left(kCalls);
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(std::make_unique<Call>());
    Call& call = *calls.back();
    call.request = MakeRequest(kSlow, 1, i);
    call.request.mutable_budget()->set_max_steps(100);
    stub->async()->Predict(&call.context, &call.request, &call.response,
                           [&call, &left](grpc::Status status) {
                             call.status = status;
                             left.DecrementCount();
                           });
  }
  left.Wait();
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
}

}  // namespace
}  // namespace mre
