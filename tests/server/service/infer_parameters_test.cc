#include "server/service/infer_parameters.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using inference::InferParameter;
using testing::AllOf;
using testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

InferParameter Bool(bool value) {
  InferParameter parameter;
  parameter.set_bool_param(value);
  return parameter;
}
InferParameter Int(int64_t value) {
  InferParameter parameter;
  parameter.set_int64_param(value);
  return parameter;
}
InferParameter Unsigned(uint64_t value) {
  InferParameter parameter;
  parameter.set_uint64_param(value);
  return parameter;
}
InferParameter Double(double value) {
  InferParameter parameter;
  parameter.set_double_param(value);
  return parameter;
}
InferParameter String(const std::string& value) {
  InferParameter parameter;
  parameter.set_string_param(value);
  return parameter;
}

const PackedModel& Of(Kind kind) {
  static const auto* mre =
      PackedModel::Create(RandomModel(RandomConfig(5), 5), Precision::kF32)
          .value()
          .release();
  static const auto* rays =
      PackedModel::Create(RandomModel(RandomConfigOf(Kind::kRaytracing, 5), 5),
                          Precision::kF32)
          .value()
          .release();
  return kind == Kind::kMre ? *mre : *rays;
}

using Named = std::vector<std::pair<std::string, InferParameter>>;

absl::StatusOr<InferParameters> Parse(const Named& named,
                                      Kind kind = Kind::kMre) {
  google::protobuf::Map<std::string, InferParameter> parameters;
  for (const auto& [name, value] : named) parameters[name] = value;
  return ParseInferParameters(parameters, Of(kind));
}

TEST(InferParametersTest, NoneMeansNoLimit) {
  ASSERT_OK_AND_ASSIGN(const InferParameters parsed, Parse({}));
  EXPECT_EQ(parsed.budget.max_steps, 0u);
  EXPECT_EQ(parsed.budget.max_time, absl::ZeroDuration());
  EXPECT_EQ(parsed.priority, kDefaultPriority);
  EXPECT_FALSE(parsed.sampled);
  EXPECT_FALSE(parsed.empty_final_response);
}

TEST(InferParametersTest, IntegersComeInEveryTypeThatHoldsThem) {
  for (const InferParameter& seven :
       {Int(7), Unsigned(7), Double(7), String("7")}) {
    for (const char* name : {"max_steps", "stable_steps", "seed", "max_time_us",
                             "timeout", "priority"}) {
      ASSERT_OK_AND_ASSIGN(const InferParameters parsed,
                           Parse({{name, seven}}));
      const std::vector<std::pair<std::string, bool>> set = {
          {"max_steps", parsed.budget.max_steps == 7},
          {"stable_steps", parsed.budget.stable_steps == 7},
          {"seed", parsed.seed == 7},
          {"max_time_us", parsed.budget.max_time == absl::Microseconds(7)},
          {"timeout", parsed.budget.max_time == absl::Microseconds(7)},
          {"priority", parsed.priority == 7}};
      for (const auto& [field, is_set] : set) {
        const bool time = std::string(name) == "timeout" ||
                          std::string(name) == "max_time_us";
        const bool expected =
            field == name ||
            (time && (field == "timeout" || field == "max_time_us"));
        EXPECT_EQ(is_set, expected) << name << " " << field;
      }
    }
  }
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  for (const InferParameter& most :
       {Unsigned(kMost), String("18446744073709551615")}) {
    ASSERT_OK_AND_ASSIGN(const InferParameters parsed,
                         Parse({{"max_macs", most}, {"seed", most}}));
    EXPECT_EQ(parsed.budget.max_macs, kMost);
    EXPECT_EQ(parsed.seed, kMost);
  }
}

TEST(InferParametersTest, RefusesWhatIsNoSuchInteger) {
  const std::vector<InferParameter> bad = {
      InferParameter(),
      Bool(true),
      Int(-1),
      Int(std::numeric_limits<int64_t>::min()),
      Double(-1),
      Double(0.5),
      Double(1e300),
      Double(std::nan("")),
      Double(std::numeric_limits<double>::infinity()),
      String(""),
      String("-1"),
      String("1.5"),
      String("0x10"),
      String("7 steps"),
      String("18446744073709551616")};
  for (const char* name : {"max_steps", "max_macs", "max_time_us",
                           "stable_steps", "seed", "timeout", "priority"}) {
    for (const InferParameter& value : bad) {
      EXPECT_THAT(
          Parse({{name, value}}),
          StatusIs(kInvalid, AllOf(HasSubstr("parameters[\""), HasSubstr(name),
                                   HasSubstr("expected"))))
          << name << " " << value.ShortDebugString();
    }
  }
  for (const char* name : {"max_steps", "stable_steps"}) {
    EXPECT_THAT(Parse({{name, Unsigned(4294967295)}}), IsOk());
    EXPECT_THAT(Parse({{name, Unsigned(4294967296)}}),
                StatusIs(kInvalid, HasSubstr("4294967295")));
  }
  EXPECT_THAT(Parse({{"timeout", Int(9223372036854775)}}), IsOk());
  EXPECT_THAT(Parse({{"timeout", Int(9223372036854776)}}),
              StatusIs(kInvalid, HasSubstr("timeout")));
  EXPECT_THAT(Parse({{"priority", Int(10)}}),
              StatusIs(kInvalid, HasSubstr("1 (first) to 9 (last)")));
  EXPECT_THAT(Parse({{"max_macs", Int(1)}}),
              StatusIs(kInvalid, HasSubstr("parameters[\"max_macs\"]")));
}

TEST(InferParametersTest, NumbersComeInEveryTypeThatHoldsThem) {
  for (const InferParameter& one :
       {Int(1), Unsigned(1), Double(1), String("1"), String("1e0")}) {
    ASSERT_OK_AND_ASSIGN(
        const InferParameters parsed,
        Parse({{"min_confidence", one}, {"min_ray_coverage", one}}));
    EXPECT_EQ(parsed.budget.min_confidence, 1);
    EXPECT_EQ(parsed.budget.min_ray_coverage, 1);
  }
  for (const InferParameter& most : {Double(0.9), String("0.9")}) {
    ASSERT_OK_AND_ASSIGN(const InferParameters parsed,
                         Parse({{"min_confidence", most}}));
    EXPECT_EQ(parsed.budget.min_confidence, 0.9f);
  }
  for (const InferParameter& bad :
       {InferParameter(), Bool(true), Int(2), Int(-1), Unsigned(50),
        Double(1.01), Double(-0.1), Double(std::nan("")), Double(1e300),
        Double(-std::numeric_limits<double>::infinity()), String(""),
        String("high"), String("nan"), String("inf"), String("0.5x")}) {
    for (const char* name : {"min_confidence", "min_ray_coverage"}) {
      EXPECT_THAT(Parse({{name, bad}}), StatusIs(kInvalid, HasSubstr(name)))
          << bad.ShortDebugString();
    }
  }
}

TEST(InferParametersTest, ThresholdsAreForRaytracings) {
  ASSERT_OK_AND_ASSIGN(
      const InferParameters parsed,
      Parse({{"theta_out", Double(0.25)}, {"theta_decay", String("0.5")}},
            Kind::kRaytracing));
  EXPECT_EQ(parsed.budget.thresholds.theta_out, 0.25f);
  EXPECT_EQ(parsed.budget.thresholds.theta_decay, 0.5f);
  EXPECT_THAT(Parse({{"theta_decay", Int(1)}}, Kind::kRaytracing),
              StatusIs(kInvalid, HasSubstr("parameters[\"theta_decay\"]")));
  EXPECT_THAT(Parse({{"theta_out", Double(0.25)}}),
              StatusIs(kInvalid, HasSubstr("kind mre")));
}

TEST(InferParametersTest, BoolsComeInEveryTypeThatHoldsThem) {
  for (const InferParameter& yes :
       {Bool(true), Int(1), Unsigned(1), String("true"), String("True"),
        String("1")}) {
    ASSERT_OK_AND_ASSIGN(const InferParameters parsed,
                         Parse({{"sampled", yes}}));
    EXPECT_TRUE(parsed.sampled) << yes.ShortDebugString();
  }
  for (const InferParameter& no :
       {Bool(false), Int(0), Unsigned(0), String("false"), String("0")}) {
    ASSERT_OK_AND_ASSIGN(const InferParameters parsed,
                         Parse({{"sampled", no}}));
    EXPECT_FALSE(parsed.sampled) << no.ShortDebugString();
  }
  for (const InferParameter& bad : {InferParameter(), Int(2), Int(-1),
                                    Double(1), String(""), String("maybe")}) {
    EXPECT_THAT(Parse({{"sampled", bad}}),
                StatusIs(kInvalid, HasSubstr("sampled")));
  }
}

TEST(InferParametersTest, TheShorterOfTimeoutAndTimeCounts) {
  const auto limit = [](int64_t max_time_us, int64_t timeout) {
    return Parse({{"max_time_us", Int(max_time_us)}, {"timeout", Int(timeout)}})
        ->budget.max_time;
  };
  EXPECT_EQ(limit(5, 9), absl::Microseconds(5));
  EXPECT_EQ(limit(9, 5), absl::Microseconds(5));
  EXPECT_EQ(limit(9, 0), absl::Microseconds(9));
  EXPECT_EQ(limit(0, 9), absl::Microseconds(9));
  EXPECT_EQ(limit(0, 0), absl::ZeroDuration());
}

TEST(InferParametersTest, TheEmptyFinalResponseIsABoolAndNothingElse) {
  constexpr char kName[] = "triton_enable_empty_final_response";
  EXPECT_TRUE(Parse({{kName, Bool(true)}})->empty_final_response);
  EXPECT_FALSE(Parse({{kName, Bool(false)}})->empty_final_response);
  for (const InferParameter& bad :
       {InferParameter(), Int(1), Unsigned(1), Double(1), String("true")}) {
    EXPECT_THAT(Parse({{kName, bad}}), StatusIs(kInvalid, HasSubstr(kName)));
  }
}

TEST(InferParametersTest, WhatHasNoMeaningIsRefusedUnlessItSaysNothing) {
  for (const InferParameter& none :
       {Int(0), Unsigned(0), String(""), Bool(false)}) {
    EXPECT_THAT(Parse({{"sequence_id", none}}), IsOk());
  }
  for (const InferParameter& some :
       {InferParameter(), Int(3), String("s"), Bool(true), Double(0)}) {
    EXPECT_THAT(Parse({{"sequence_id", some}}),
                StatusIs(kInvalid, HasSubstr("no state between requests")));
  }
  EXPECT_THAT(Parse({{"triton_something_new", Int(3)}}), IsOk());
  for (const char* name : {"", "max_step", "Max_steps", "binary_data_output",
                           "max_time", "tritonic"}) {
    EXPECT_THAT(Parse({{name, Int(3)}}),
                StatusIs(kInvalid, HasSubstr("no parameter of this name")))
        << name;
  }
}

}  // namespace
}  // namespace mre
