#include "model/engine/stop_rules.h"

#include <limits>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace mre {
namespace {

// A row in the middle of its computation.
Progress Midway() {
  Progress progress;
  progress.step = 5;
  progress.macs = 1000;
  progress.next_step_macs = 100;
  progress.elapsed = absl::Milliseconds(3);
  progress.confidence = 0.75f;
  progress.ray_coverage = 0.5f;
  progress.stable_steps = 2;
  return progress;
}

Progress Exhausted() {
  Progress progress = Midway();
  progress.exhausted = true;
  return progress;
}

struct Case {
  const char* name;
  Budget budget;
  StopReason midway;
  StopReason exhausted;
};

TEST(StopRulesTest, EachRuleHoldsExactlyAtItsLimit) {
  using enum StopReason;
  constexpr absl::Duration kTick = absl::Nanoseconds(1);
  const Case cases[] = {
      {"no limit", {}, kNone, kExhausted},
      {"steps left", {.max_steps = 6}, kNone, kExhausted},
      {"steps reached", {.max_steps = 5}, kMaxSteps, kMaxSteps},
      {"steps passed", {.max_steps = 1}, kMaxSteps, kMaxSteps},
      {"macs for one more step", {.max_macs = 1100}, kNone, kExhausted},
      {"one mac short", {.max_macs = 1099}, kMaxMacs, kExhausted},
      {"macs spent", {.max_macs = 1000}, kMaxMacs, kExhausted},
      {"time left",
       {.max_time = absl::Milliseconds(3) + kTick},
       kNone,
       kExhausted},
      {"time reached", {.max_time = absl::Milliseconds(3)}, kMaxTime, kMaxTime},
      {"time passed", {.max_time = kTick}, kMaxTime, kMaxTime},
      {"time without end",
       {.max_time = absl::InfiniteDuration()},
       kNone,
       kExhausted},
      {"negative time is none",
       {.max_time = -absl::Seconds(1)},
       kNone,
       kExhausted},
      {"confidence above", {.min_confidence = 0.7500001f}, kNone, kExhausted},
      {"confidence reached",
       {.min_confidence = 0.75f},
       kConfidence,
       kConfidence},
      {"coverage above", {.min_ray_coverage = 0.51f}, kNone, kExhausted},
      {"coverage reached",
       {.min_ray_coverage = 0.5f},
       kRayCoverage,
       kRayCoverage},
      {"not yet stable", {.stable_steps = 3}, kNone, kExhausted},
      {"stable", {.stable_steps = 2}, kStable, kStable},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(CheckBudget(c.budget, Midway()), c.midway) << c.name;
    EXPECT_EQ(CheckBudget(c.budget, Exhausted()), c.exhausted) << c.name;
  }
}

TEST(StopRulesTest, FirstOfTheWiresOrderWins) {
  using enum StopReason;
  Budget budget = {.max_steps = 5,
                   .max_macs = 1000,
                   .max_time = absl::Milliseconds(1),
                   .min_confidence = 0.1f,
                   .min_ray_coverage = 0.1f,
                   .stable_steps = 1};
  EXPECT_EQ(CheckBudget(budget, Midway()), kMaxSteps);
  budget.max_steps = 0;
  EXPECT_EQ(CheckBudget(budget, Midway()), kMaxMacs);
  budget.max_macs = 0;
  EXPECT_EQ(CheckBudget(budget, Midway()), kMaxTime);
  budget.max_time = absl::ZeroDuration();
  EXPECT_EQ(CheckBudget(budget, Midway()), kConfidence);
  budget.min_confidence = 0;
  EXPECT_EQ(CheckBudget(budget, Midway()), kRayCoverage);
  budget.min_ray_coverage = 0;
  EXPECT_EQ(CheckBudget(budget, Midway()), kStable);
  budget.stable_steps = 0;
  EXPECT_EQ(CheckBudget(budget, Midway()), kNone);
}

TEST(StopRulesTest, ZeroIsNoLimitWhateverTheProgress) {
  Progress progress = Midway();
  progress.step = std::numeric_limits<uint32_t>::max();
  progress.macs = std::numeric_limits<uint64_t>::max() / 2;
  progress.elapsed = absl::InfiniteDuration();
  progress.confidence = progress.ray_coverage = 1;
  progress.stable_steps = progress.step;
  EXPECT_EQ(CheckBudget({}, progress), StopReason::kNone);
}

TEST(StopRulesTest, StepZeroOfAFreshRowIsLookedAtToo) {
  Progress fresh;
  fresh.macs = 500;
  fresh.next_step_macs = 100;
  fresh.confidence = 0.9f;
  EXPECT_EQ(CheckBudget({.min_confidence = 0.9f}, fresh),
            StopReason::kConfidence);
  EXPECT_EQ(CheckBudget({.max_macs = 500}, fresh), StopReason::kMaxMacs);
  EXPECT_EQ(CheckBudget({.max_steps = 1, .stable_steps = 1}, fresh),
            StopReason::kNone);
}

TEST(StopRulesTest, NamesAreDistinctAndLowerCase) {
  std::set<std::string> names;
  for (int reason = 0; reason < kStopReasons; ++reason) {
    const std::string name(StopReasonName(static_cast<StopReason>(reason)));
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"),
              std::string::npos)
        << name;
    EXPECT_NE(name, "unknown");
    names.insert(name);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kStopReasons));
  EXPECT_EQ(StopReasonName(static_cast<StopReason>(kStopReasons)), "unknown");
}

}  // namespace
}  // namespace mre
