// What the programs share: flags and words.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/console/duration_flag.h"
#include "client/console/request_flags.h"
#include "client/console/shape.h"
#include "client/console/words.h"
#include "model/base/file.h"

namespace mre {
namespace {

TEST(BudgetFlagsTest, FillsEveryBudgetField) {
  BudgetFlags flags;
  flags.max_steps = 3;
  flags.max_macs = uint64_t{1} << 40;
  flags.max_time = "1.0025s";
  flags.min_confidence = 0.9f;
  flags.min_ray_coverage = 1;
  flags.stable_steps = 2;
  flags.theta_out = 2.5f;
  flags.theta_decay = 0.75f;
  const auto budget = MakeBudget(flags);
  ASSERT_TRUE(budget.ok()) << budget.status();
  EXPECT_EQ(budget->max_steps(), 3u);
  EXPECT_EQ(budget->max_macs(), uint64_t{1} << 40);
  EXPECT_EQ(budget->max_time().seconds(), 1);
  EXPECT_EQ(budget->max_time().nanos(), 2'500'000);
  EXPECT_EQ(budget->min_confidence(), 0.9f);
  EXPECT_EQ(budget->min_ray_coverage(), 1.0f);
  EXPECT_EQ(budget->stable_steps(), 2u);
  EXPECT_EQ(budget->theta_out(), 2.5f);
  EXPECT_EQ(budget->theta_decay(), 0.75f);
}

TEST(BudgetFlagsTest, LeavesAbsentLimitsUnset) {
  const auto budget = MakeBudget({});
  ASSERT_TRUE(budget.ok()) << budget.status();
  EXPECT_FALSE(budget->has_max_time());
  EXPECT_EQ(budget->ByteSizeLong(), 0u);
}

TEST(BudgetFlagsTest, RefusesSharesOutsideZeroToOne) {
  for (const float value : {-0.1f, 1.1f, NAN, INFINITY}) {
    BudgetFlags confidence;
    confidence.min_confidence = value;
    const auto budget = MakeBudget(confidence);
    EXPECT_EQ(budget.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(budget.status().message().find("--min_confidence"),
              absl::string_view::npos);
    BudgetFlags coverage;
    coverage.min_ray_coverage = value;
    EXPECT_FALSE(MakeBudget(coverage).ok());
    BudgetFlags decay;
    decay.theta_decay = value;
    EXPECT_FALSE(MakeBudget(decay).ok());
  }
  for (const float value : {-0.1f, NAN}) {
    BudgetFlags out;
    out.theta_out = value;
    const auto budget = MakeBudget(out);
    EXPECT_NE(budget.status().message().find("--theta_out"),
              absl::string_view::npos);
  }
}

TEST(BudgetFlagsTest, FieldsAreTheFlagsWithoutDashes) {
  const auto flags = ParseBudgetFields("max_steps=8,max_time=1.5s,theta_out=2");
  ASSERT_TRUE(flags.ok()) << flags.status();
  BudgetFlags expected;
  expected.max_steps = 8;
  expected.max_time = "1.5s";
  expected.theta_out = 2;
  EXPECT_EQ(*flags, expected);
  for (const char* text :
       {"", ",", "=", "max_steps", "max_steps=", "=3", "max_steps=x", "steps=3",
        "help=1", "-=1", "--max_steps=3", "max_steps=1,max_steps=2",
        "max_steps=,max_macs=3", "max_steps=1 max_macs=3"}) {
    const absl::Status status = ParseBudgetFields(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find("max_steps, max_macs, max_time"),
              absl::string_view::npos)
        << status;
  }
}

TEST(ServerFlagsTest, HaveNoDeadlineUnlessAsked) {
  ServerFlags flags;
  EXPECT_EQ(MakeCallOptions(flags)->timeout, absl::InfiniteDuration());
  flags.deadline = "250ms";
  EXPECT_EQ(MakeCallOptions(flags)->timeout, absl::Milliseconds(250));
  flags.deadline = "soon";
  EXPECT_FALSE(MakeCallOptions(flags).ok());
}

TEST(ServerFlagsTest, NameTheServerAndHowLongToTry) {
  ServerFlags flags;
  flags.server = "10.0.0.7:8001";
  flags.connect_timeout = "2s";
  EXPECT_EQ(MakeClientOptions(flags)->target, flags.server);
  EXPECT_EQ(MakeClientOptions(flags)->connect_timeout, absl::Seconds(2));
  flags.connect_timeout = "long";
  EXPECT_FALSE(MakeClientOptions(flags).ok());
}

TEST(ServerFlagsTest, CertificatesMeanTls) {
  ServerFlags flags;
  EXPECT_FALSE(MakeClientOptions(flags)->tls.on);
  flags.ca_cert = "ca.pem";
  EXPECT_TRUE(MakeClientOptions(flags)->tls.on);
  EXPECT_EQ(MakeClientOptions(flags)->tls.ca_cert_file, "ca.pem");
  flags = {};
  flags.client_cert = "me.pem";
  EXPECT_TRUE(MakeClientOptions(flags)->tls.on);
  flags = {};
  flags.tls = true;
  flags.server_name = "example.com";
  EXPECT_TRUE(MakeClientOptions(flags)->tls.on);
  EXPECT_EQ(MakeClientOptions(flags)->tls.server_name, "example.com");
}

TEST(ServerFlagsTest, TheTokenIsInAFileOrInTheEnvironment) {
  const std::string path = testing::TempDir() + "/console_test_token";
  ServerFlags flags;
  ASSERT_EQ(unsetenv("MRE_TOKEN"), 0);
  EXPECT_EQ(MakeClientOptions(flags)->token, "");
  ASSERT_EQ(setenv("MRE_TOKEN", "from-the-environment", 1), 0);
  EXPECT_EQ(MakeClientOptions(flags)->token, "from-the-environment");
  flags.token_file = path;
  ASSERT_TRUE(WriteFileAtomically(path, " from-the-file\n").ok());
  EXPECT_EQ(MakeClientOptions(flags)->token, "from-the-file");
  ASSERT_TRUE(WriteFileAtomically(path, "\n").ok());
  EXPECT_EQ(MakeClientOptions(flags).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(MakeClientOptions(flags).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(unsetenv("MRE_TOKEN"), 0);
}

TEST(ShapeTest, ALastDimensionOfOneSaysNothing) {
  EXPECT_TRUE(SameShape({28, 28}, {28, 28, 1}));
  EXPECT_FALSE(SameShape({28, 28}, {1, 28, 28}));
  EXPECT_FALSE(SameShape({28, 28, 3}, {28, 28}));
}

TEST(ShapeTest, ElementsAreBounded) {
  EXPECT_EQ(Elements({28, 28, 1}, 784), 784u);
  EXPECT_EQ(Elements({28, 28, 1}, 783), std::nullopt);
  EXPECT_EQ(Elements({int64_t{1} << 62, 4}, SIZE_MAX), std::nullopt);
  EXPECT_EQ(Elements({3, 0}, 100), std::nullopt);
  EXPECT_EQ(Elements({3, -1}, 100), std::nullopt);
}

TEST(DurationFlagTest, RefusesWhatIsNoLengthOfTime) {
  for (const char* text : {"5", "-5ms", "fast", "inf", "5 ms", "9000000h"}) {
    const auto time = ParseDurationFlag("max_time", text);
    EXPECT_EQ(time.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(time.status().message().find("--max_time"),
              absl::string_view::npos);
  }
  EXPECT_EQ(ParseDurationFlag("pace", "0").value(), absl::ZeroDuration());
  EXPECT_EQ(ParseDurationFlag("pace", "1m30s").value(), absl::Seconds(90));
}

TEST(WordsTest, DisarmsEscapeSequences) {
  EXPECT_EQ(Printable("a\x1b[2Jb\n\x7f"), "a?[2Jb??");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "??31m");  // CSI in eight bits.
  EXPECT_EQ(Printable("Stra\xc3\x9f"
                      "e \xc2\xa0"),
            "Stra\xc3\x9f"
            "e \xc2\xa0");
}

TEST(WordsTest, GroupsDigits) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
}

TEST(WordsTest, TimesHaveThreeDigits) {
  EXPECT_EQ(NanosText(12'340), "12.3us");
  EXPECT_EQ(NanosText(1.23e6), "1.23ms");
  EXPECT_EQ(NanosText(2e9), "2.00s");
}

TEST(WordsTest, ErrorsShowTheCodesName) {
  EXPECT_EQ(ErrorText(absl::NotFoundError("no model \x1b[31mx")),
            "NOT_FOUND: no model ?[31mx");
}

}  // namespace
}  // namespace mre
