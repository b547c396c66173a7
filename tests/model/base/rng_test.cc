#include "model/base/rng.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mre {
namespace {

using testing::ElementsAreArray;

constexpr uint64_t kSeed = 20240229;

std::vector<double> Mixed(Rng& rng, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(rng.Gaussian());
    values.push_back(rng.Gumbel());
    values.push_back(rng.Uniform());
    values.push_back(static_cast<double>(rng.Below(1000)));
  }
  return values;
}

TEST(RngTest, SavedStateReplaysEveryKindOfDraw) {
  Rng rng(kSeed);
  Mixed(rng, 3);
  rng.Gaussian();  // an odd number of draws: nothing may hide beside the state
  const Rng::State state = rng.state();
  const std::vector<double> first = Mixed(rng, 50);
  Rng other(kSeed + 1);
  other.set_state(state);
  EXPECT_THAT(Mixed(other, 50), ElementsAreArray(first));
  EXPECT_EQ(other.state(), rng.state());
}

TEST(RngTest, SeedsGiveTheValuesTheyAlwaysGave) {
  // From xoshiro256++ and SplitMix64 written anew in another language.
  Rng rng(1);
  EXPECT_EQ(rng.Next(), 0x763ba63f94bc22a2ull);
  EXPECT_EQ(rng.Next(), 0x96606b4e465ede1eull);
  EXPECT_EQ(Mix64(0), 0xe220a8397b1dcdafull);
}

TEST(RngTest, NeighbouringSeedsShareNoValues) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed);
    for (int i = 0; i < 10; ++i) seen.insert(rng.Next());
  }
  EXPECT_EQ(seen.size(), 10000u);
}

TEST(RngTest, BelowIsUniform) {
  for (const uint64_t n : {1, 2, 3, 7, 10, 64, 100}) {
    SCOPED_TRACE(n);
    Rng rng(kSeed + n);
    constexpr int kDraws = 200000;
    std::vector<int> counts(n);
    for (int i = 0; i < kDraws; ++i) {
      const uint64_t value = rng.Below(n);
      ASSERT_LT(value, n);
      ++counts[value];
    }
    const double expected = static_cast<double>(kDraws) / n;
    double chi2 = 0;
    for (const int count : counts) {
      chi2 += (count - expected) * (count - expected) / expected;
    }
    // Mean n - 1, variance 2(n - 1): six deviations are no accident.
    const double df = static_cast<double>(n) - 1;
    EXPECT_LE(chi2, df + 6 * std::sqrt(2 * df) + 6);
  }
}

TEST(RngTest, BelowReachesBothEndsOfHugeRanges) {
  Rng rng(kSeed);
  constexpr uint64_t kHuge = ~uint64_t{0};
  uint64_t smallest = kHuge, largest = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = rng.Below(kHuge);
    smallest = std::min(smallest, value);
    largest = std::max(largest, value);
  }
  EXPECT_LT(smallest, kHuge / 50);
  EXPECT_GT(largest, kHuge - kHuge / 50);
}

TEST(RngTest, UniformStaysInsideTheOpenInterval) {
  EXPECT_GT(ToUnit(0), 0.0);
  EXPECT_LT(ToUnit(~uint64_t{0}), 1.0);
  EXPECT_TRUE(std::isfinite(ToGumbel(0)));
  EXPECT_TRUE(std::isfinite(ToGumbel(~uint64_t{0})));
}

TEST(RngTest, GaussianHasTheMomentsOfANormal) {
  Rng rng(kSeed);
  constexpr int kDraws = 400000;
  double sum[5] = {};
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.Gaussian();
    double power = 1;
    for (int k = 1; k <= 4; ++k) sum[k] += power *= x;
  }
  // Each bound is six standard errors of that moment's mean.
  const double error = 6 / std::sqrt(kDraws);
  EXPECT_NEAR(sum[1] / kDraws, 0, error);
  EXPECT_NEAR(sum[2] / kDraws, 1, error * std::sqrt(2.0));
  EXPECT_NEAR(sum[3] / kDraws, 0, error * std::sqrt(15.0));
  EXPECT_NEAR(sum[4] / kDraws, 3, error * std::sqrt(96.0));
}

TEST(RngTest, GumbelHasTheMomentsOfAGumbel) {
  Rng rng(kSeed);
  constexpr int kDraws = 400000;
  double sum = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.Gumbel();
    sum += x;
    square += x * x;
  }
  const double mean = sum / kDraws;
  const double variance = square / kDraws - mean * mean;
  constexpr double kVariance = 1.6449340668482264;  // pi^2 / 6
  EXPECT_NEAR(mean, 0.5772156649015329, 6 * std::sqrt(kVariance / kDraws));
  EXPECT_NEAR(variance, kVariance,
              6 * kVariance * std::sqrt((5.4 - 1) / kDraws));
}

TEST(RngTest, ShuffleKeepsAllItemsAndMovesEachAnywhere) {
  Rng rng(kSeed);
  constexpr int kItems = 5, kRounds = 50000;
  int counts[kItems][kItems] = {};
  for (int round = 0; round < kRounds; ++round) {
    std::vector<int> items = {0, 1, 2, 3, 4};
    rng.Shuffle(items);
    for (int i = 0; i < kItems; ++i) ++counts[items[i]][i];
  }
  const double expected = static_cast<double>(kRounds) / kItems;
  for (const auto& row : counts) {
    int total = 0;
    for (const int count : row) {
      EXPECT_NEAR(count, expected, 6 * std::sqrt(expected));
      total += count;
    }
    EXPECT_EQ(total, kRounds);
  }
}

}  // namespace
}  // namespace mre
