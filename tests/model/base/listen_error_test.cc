#include "model/base/listen_error.h"

#include <cerrno>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

TEST(ListenErrorTest, SaysWhatCanBeDoneAboutIt) {
  EXPECT_EQ(ListenError("a:1", EADDRINUSE),
            absl::AlreadyExistsError("a:1: Address already in use"));
  EXPECT_EQ(ListenError("a:1", EADDRNOTAVAIL),
            absl::InvalidArgumentError("a:1: Cannot assign requested address"));
  EXPECT_EQ(ListenError("a:1", EACCES),
            absl::UnavailableError("a:1: Permission denied"));
}

TEST(CannotServeTest, AdvisesWhatWouldHelp) {
  const auto advice = [](const absl::Status& why) {
    return std::string(CannotServe("gRPC", "grpc_port", why).message());
  };
  EXPECT_EQ(
      advice(absl::AlreadyExistsError("a:1: in use")),
      "cannot serve gRPC on a:1: in use; --grpc_port=0 takes a free port");
  EXPECT_EQ(advice(absl::InvalidArgumentError("a:1: unknown")),
            "cannot serve gRPC on a:1: unknown; --host must be an address of "
            "this machine");
  EXPECT_EQ(advice(absl::UnavailableError("a:1: denied")),
            "cannot serve gRPC on a:1: denied");
}

}  // namespace
}  // namespace mre
