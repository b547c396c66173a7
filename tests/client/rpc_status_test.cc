#include "client/cc/rpc_status.h"

#include <gtest/gtest.h>

#include "client/cc/client.h"

namespace mre {
namespace {

TEST(RpcStatusTest, KeepsEveryCodeAndTheMessage) {
  EXPECT_TRUE(FromRpcStatus(grpc::Status::OK, "").ok());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status = FromRpcStatus(
        grpc::Status(static_cast<grpc::StatusCode>(code), "what"), "");
    EXPECT_EQ(status.raw_code(), code);
    EXPECT_EQ(status.message(), "what");
    EXPECT_EQ(RetryAfter(status), std::nullopt);
  }
}

TEST(RpcStatusTest, UnknownCodesAreUnknown) {
  for (const int code : {17, -1}) {
    EXPECT_EQ(
        FromRpcStatus(grpc::Status(static_cast<grpc::StatusCode>(code), ""), "")
            .code(),
        absl::StatusCode::kUnknown);
  }
}

TEST(RpcStatusTest, NamesTheCodesAsAbslDoes) {
  EXPECT_EQ(
      FromRpcStatus(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, ""), "")
          .code(),
      absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      FromRpcStatus(grpc::Status(grpc::StatusCode::UNAUTHENTICATED, ""), "")
          .code(),
      absl::StatusCode::kUnauthenticated);
}

TEST(RpcStatusTest, TellsWhenToRetry) {
  const absl::Status status = FromRpcStatus(
      grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"), "250");
  EXPECT_EQ(status.message(),
            "queue full (the server asks to retry after 250ms)");
  EXPECT_EQ(RetryAfter(status), absl::Milliseconds(250));
}

TEST(RpcStatusTest, IgnoresPushbackThatIsNoTime) {
  for (const char* text : {"-1", "soon", "99999999999", "1.5"}) {
    const absl::Status status = FromRpcStatus(
        grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"), text);
    EXPECT_EQ(status.message(), "queue full") << text;
    EXPECT_EQ(RetryAfter(status), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace mre
