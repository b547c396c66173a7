#include "server/metrics/exporter.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/metrics/tcp.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ExporterTest, SaysWhyItCannotListen) {
  ASSERT_OK_AND_ASSIGN(auto first, Exporter::Start("127.0.0.1:0", {}));
  const std::string taken = absl::StrCat("127.0.0.1:", first->port());
  EXPECT_THAT(Exporter::Start(taken, {}).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr(taken), HasSubstr("in use"),
                             HasSubstr("--metrics_port=0"))));
}

TEST(ExporterTest, LeavesItsPort) {
  // Somebody else may be quicker to take the port, but not each time.
  absl::Status again;
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK_AND_ASSIGN(auto exporter, Exporter::Start("127.0.0.1:0", {}));
    const std::string left = absl::StrCat("127.0.0.1:", exporter->port());
    exporter.reset();
    again = Exporter::Start(left, {}).status();
    if (again.ok()) break;
  }
  EXPECT_THAT(again, IsOk());
}

TEST(CheckCanListenTest, NamesHostsThatAreNone) {
  EXPECT_THAT(CheckCanListen("127.0.0.1:0"), IsOk());
  // No resolver is needed to know that it is none.
  EXPECT_THAT(CheckCanListen("-:1"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("-:1: Name or service not known")));
  EXPECT_THAT(
      CheckCanListen("192.0.2.1:1"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("assign")));
}

}  // namespace
}  // namespace mre
