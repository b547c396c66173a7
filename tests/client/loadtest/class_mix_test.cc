#include "client/loadtest/class_mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

TEST(ClassMixTest, ReadsNameShareAndEveryBudgetField) {
  const auto parsed = ParseClass(
      "slow:2.5:max_steps=8,max_macs=200000,max_time=1.5s,min_confidence=0.9,"
      "min_ray_coverage=0.5,stable_steps=3,theta_out=2,theta_decay=0.25");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->name, "slow");
  EXPECT_EQ(parsed->share, 2.5);
  EXPECT_EQ(parsed->budget.max_steps(), 8u);
  EXPECT_EQ(parsed->budget.max_macs(), 200000u);
  EXPECT_EQ(parsed->budget.max_time().seconds(), 1);
  EXPECT_EQ(parsed->budget.max_time().nanos(), 500'000'000);
  EXPECT_EQ(parsed->budget.min_confidence(), 0.9f);
  EXPECT_EQ(parsed->budget.min_ray_coverage(), 0.5f);
  EXPECT_EQ(parsed->budget.stable_steps(), 3u);
  EXPECT_EQ(parsed->budget.theta_out(), 2.0f);
  EXPECT_EQ(parsed->budget.theta_decay(), 0.25f);
}

TEST(ClassMixTest, ABudgetMayBeLeftOut) {
  for (const char* text : {"a:1", "a:1:"}) {
    const auto parsed = ParseClass(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->budget.ByteSizeLong(), 0u);
  }
}

TEST(ClassMixTest, RefusesWhatIsNoClassAndQuotesIt) {
  for (const char* text :
       {"", "a", ":1", "a:0", "a:-1", "a:nan", "a:inf", "a:x", "a:1:max_steps",
        "a:1:max_steps=", "a:1:max_steps=-1", "a:1:max_steps=1.5",
        "a:1:steps=3", "a:1:max_time=5", "a:1:max_time=", "a:1:,",
        "a:1:min_confidence=2", "a:1:min_confidence=nan", "a:1:theta_out=-1"}) {
    const auto parsed = ParseClass(text);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument)
        << text;
    EXPECT_THAT(std::string(parsed.status().message()),
                HasSubstr("--class \"" + std::string(text) + "\""));
  }
}

TEST(ClassMixTest, IsOneClassOfThePlainBudgetWithoutAny) {
  BudgetFlags plain;
  plain.max_steps = 4;
  const auto mix = ClassMix::Make({}, plain);
  ASSERT_TRUE(mix.ok()) << mix.status();
  ASSERT_EQ(mix->classes().size(), 1u);
  EXPECT_EQ(mix->classes()[0].name, "default");
  EXPECT_EQ(mix->classes()[0].budget.max_steps(), 4u);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(mix->ClassOf(1, i), 0u);
}

TEST(ClassMixTest, RefusesAPlainBudgetBesideClassesAndANameTwice) {
  BudgetFlags plain;
  plain.min_confidence = 0.5f;
  EXPECT_FALSE(ClassMix::Make({"a:1"}, plain).ok());
  EXPECT_THAT(std::string(ClassMix::Make({"a:1", "b:1", "a:2"}, BudgetFlags())
                              .status()
                              .message()),
              HasSubstr("the name a"));
}

TEST(ClassMixTest, EachClassGetsItsShare) {
  const auto mix = ClassMix::Make({"a:1", "b:3", "c:0.5"}, BudgetFlags());
  ASSERT_TRUE(mix.ok()) << mix.status();
  constexpr int kCount = 30000;
  for (const uint64_t seed : {0, 1, 2}) {
    std::vector<int> counts(3);
    for (uint64_t i = 0; i < kCount; ++i) ++counts[mix->ClassOf(seed, i)];
    for (size_t c = 0; c < 3; ++c) {
      const double share = mix->classes()[c].share / 4.5;
      const double sigma = std::sqrt(kCount * share * (1 - share));
      EXPECT_NEAR(counts[c], kCount * share, 4 * sigma) << seed << ", " << c;
    }
  }
}

TEST(ClassMixTest, TheDrawIsAFunctionOfSeedAndIndex) {
  const auto mix = ClassMix::Make({"a:1", "b:1"}, BudgetFlags());
  ASSERT_TRUE(mix.ok()) << mix.status();
  bool other_seed_differs = false;
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(mix->ClassOf(4, i), mix->ClassOf(4, i));
    other_seed_differs |= mix->ClassOf(4, i) != mix->ClassOf(5, i);
  }
  EXPECT_TRUE(other_seed_differs);
}

}  // namespace
}  // namespace mre
