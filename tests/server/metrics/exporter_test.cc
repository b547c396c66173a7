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
  first.reset();
  EXPECT_THAT(Exporter::Start(taken, {}), IsOk());
}

TEST(CheckCanListenTest, NamesHostsThatAreNone) {
  EXPECT_THAT(CheckCanListen("127.0.0.1:0"), IsOk());
  EXPECT_THAT(
      CheckCanListen("no.such.host.invalid:1"),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no.such.host")));
  EXPECT_THAT(CheckCanListen("192.0.2.1:1"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("assign")));
}

}  // namespace
}  // namespace mre
