#include "model/net/routing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/base/rng.h"

namespace mre {
namespace {

constexpr uint64_t kSeed = 7;

std::vector<float> RandomProbabilities(const RoutingShape& shape, Rng& rng) {
  std::vector<float> logits(shape.total());
  std::vector<float> transitions((shape.layers - 1) * shape.experts *
                                 shape.experts);
  for (float& x : logits) x = static_cast<float>(2 * rng.Gaussian());
  for (float& x : transitions) x = static_cast<float>(rng.Gaussian());
  std::vector<float> probabilities(shape.probabilities());
  RoutingProbabilities(shape, logits.data(), transitions.data(),
                       probabilities.data());
  return probabilities;
}

// Follows one ray path: adds its mass to where it comes to rest. The
// definition, written down without any sharing of work.
void FollowPath(const RoutingShape& shape, const std::vector<float>& p,
                const std::vector<uint8_t>& active, int64_t layer,
                int64_t expert, double mass, std::vector<double>& rest,
                double& coverage) {
  if (!active[layer * shape.experts + expert]) {
    rest[layer * shape.experts + expert] += mass;
  } else if (layer + 1 == shape.layers) {
    coverage += mass;
  } else {
    for (int64_t i = 0; i < shape.experts; ++i) {
      const double step =
          p[shape.transition(layer + 1) + expert * shape.experts + i];
      FollowPath(shape, p, active, layer + 1, i, mass * step, rest, coverage);
    }
  }
}

// An inactive expert of layer 0, or one with an active expert below it.
bool IsCandidate(const RoutingShape& shape, const std::vector<uint8_t>& active,
                 int64_t e) {
  if (active[e]) return false;
  const int64_t layer = e / shape.experts;
  if (layer == 0) return true;
  const int64_t below = (layer - 1) * shape.experts;
  for (int64_t j = 0; j < shape.experts; ++j) {
    if (active[below + j]) return true;
  }
  return false;
}

// `count` experts active, each a candidate when it was activated.
std::vector<uint8_t> RandomReachableSet(const RoutingShape& shape,
                                        int64_t count, Rng& rng) {
  std::vector<uint8_t> active(shape.total());
  while (count > 0) {
    const int64_t e = static_cast<int64_t>(rng.Below(shape.total()));
    if (!IsCandidate(shape, active, e)) continue;
    active[e] = 1;
    --count;
  }
  return active;
}

TEST(RoutingProbabilitiesTest, EveryRowIsADistribution) {
  const RoutingShape shape{3, 5};
  Rng rng(kSeed);
  const std::vector<float> p = RandomProbabilities(shape, rng);
  for (size_t at = 0; at < p.size(); at += shape.experts) {
    double sum = 0;
    for (int64_t i = 0; i < shape.experts; ++i) {
      EXPECT_GT(p[at + i], 0);
      sum += p[at + i];
    }
    EXPECT_NEAR(sum, 1, 1e-6) << "row at " << at;
  }
}

TEST(RoutingProbabilitiesTest, AddsTheTransitionToTheGate) {
  const RoutingShape shape{2, 2};
  const float logits[] = {0, 0, 1, 2};
  const float transitions[] = {1, 0, -3, 4};
  std::vector<float> p(shape.probabilities());
  RoutingProbabilities(shape, logits, transitions, p.data());
  EXPECT_NEAR(p[0], 0.5, 1e-6);
  EXPECT_NEAR(p[2], 0.5, 1e-6);                      // 1 + 1 against 2 + 0
  EXPECT_NEAR(p[4], 1 / (1 + std::exp(8.0)), 1e-6);  // -2 against 6
}

TEST(TraceRaysTest, AgreesWithFollowingEveryPath) {
  Rng rng(kSeed);
  for (const RoutingShape shape :
       {RoutingShape{1, 1}, RoutingShape{1, 4}, RoutingShape{2, 3},
        RoutingShape{4, 3}, RoutingShape{5, 2}}) {
    for (int trial = 0; trial < 50; ++trial) {
      const std::vector<float> p = RandomProbabilities(shape, rng);
      const std::vector<uint8_t> active =
          RandomReachableSet(shape, rng.Below(shape.total() + 1), rng);
      std::vector<double> rest(shape.total());
      double covered = 0;
      for (int64_t i = 0; i < shape.experts; ++i) {
        FollowPath(shape, p, active, 0, i, p[i], rest, covered);
      }
      std::vector<float> rates(shape.total());
      const float coverage =
          TraceRays(shape, p.data(), active.data(), rates.data());
      EXPECT_NEAR(coverage, covered, 1e-6);
      for (int64_t e = 0; e < shape.total(); ++e) {
        if (IsCandidate(shape, active, e)) {
          EXPECT_NEAR(rates[e], rest[e], 1e-6) << "expert " << e;
        } else {
          EXPECT_EQ(rates[e], -1) << "expert " << e;
        }
      }
    }
  }
}

TEST(TraceRaysTest, RatesAndCoverageSumToOneAtEveryStep) {
  const RoutingShape shape{4, 8};
  Rng rng(kSeed);
  const std::vector<float> p = RandomProbabilities(shape, rng);
  std::vector<uint8_t> active(shape.total());
  std::vector<float> rates(shape.total());
  for (int64_t step = 0; step <= shape.total(); ++step) {
    double mass = TraceRays(shape, p.data(), active.data(), rates.data());
    for (const float rate : rates) mass += rate > 0 ? rate : 0;
    EXPECT_NEAR(mass, 1, 1e-5) << "step " << step;
    if (step < shape.total()) active[LargestRate(rates)] = 1;
  }
}

TEST(TraceRaysTest, CoverageNeverFallsAndReachesOne) {
  const RoutingShape shape{4, 8};
  Rng rng(kSeed);
  const std::vector<float> p = RandomProbabilities(shape, rng);
  std::vector<uint8_t> active(shape.total());
  std::vector<float> rates(shape.total());
  float before = TraceRays(shape, p.data(), active.data(), rates.data());
  EXPECT_EQ(before, 0);
  for (int64_t step = 0; step < shape.total(); ++step) {
    active[DrawByRate(rates, DrawKey(kSeed, 0, step))] = 1;
    const float coverage =
        TraceRays(shape, p.data(), active.data(), rates.data());
    // Sums in another order may differ in the last bits.
    EXPECT_GE(coverage, before - 1e-6) << "step " << step;
    before = coverage;
  }
  EXPECT_NEAR(before, 1, 1e-5);
  EXPECT_EQ(LargestRate(rates), -1);
  EXPECT_EQ(DrawByRate(rates, 1), -1);
}

TEST(LargestRateTest, TiesGoToTheLowestLayerThenIndex) {
  EXPECT_EQ(LargestRate(std::vector<float>{-1, 0.25f, 0.5f, 0.5f}), 2);
  EXPECT_EQ(LargestRate(std::vector<float>{-1, 0, 0}), 1);
  EXPECT_EQ(LargestRate(std::vector<float>{}), -1);
}

TEST(LargestRateTest, IsThatOfAPlainLoopForEveryLength) {
  Rng rng(kSeed);
  for (int64_t size = 0; size < 70; ++size) {
    for (int trial = 0; trial < 20; ++trial) {
      std::vector<float> rates(size);
      for (float& rate : rates) {
        // Few values, so that there are ties.
        rate = rng.Below(2) == 0 ? -1.0f : static_cast<float>(rng.Below(4)) / 4;
      }
      int64_t want = -1;
      for (int64_t i = 0; i < size; ++i) {
        if (rates[i] >= 0 && (want < 0 || rates[i] > rates[want])) want = i;
      }
      ASSERT_EQ(LargestRate(rates), want) << size;
    }
  }
}

TEST(DrawByRateTest, FrequenciesFollowTheRates) {
  const std::vector<float> rates = {0.1f, -1, 0.5f, 0, 0.2f};
  constexpr int kDraws = 20000;
  std::vector<int> counts(rates.size());
  for (int i = 0; i < kDraws; ++i) {
    ++counts[DrawByRate(rates, DrawKey(kSeed, i, 3))];
  }
  EXPECT_EQ(counts[1], 0);
  EXPECT_EQ(counts[3], 0);
  for (const size_t e : {0, 2, 4}) {
    const double share = rates[e] / 0.8;
    const double sd = std::sqrt(kDraws * share * (1 - share));
    EXPECT_NEAR(counts[e], kDraws * share, 5 * sd) << "expert " << e;
  }
}

TEST(DrawByRateTest, DrawsAmongVanishedRates) {
  EXPECT_EQ(DrawByRate(std::vector<float>{-1, 0, -1}, 5), 1);
}

TEST(DrawKeyTest, SeedRowAndStepAllMatter) {
  const uint64_t key = DrawKey(1, 2, 3);
  EXPECT_EQ(key, DrawKey(1, 2, 3));
  EXPECT_NE(key, DrawKey(2, 2, 3));
  EXPECT_NE(key, DrawKey(1, 3, 3));
  EXPECT_NE(key, DrawKey(1, 2, 4));
}

}  // namespace
}  // namespace mre
