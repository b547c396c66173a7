#include "model/math/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "model/base/rng.h"

namespace mre {
namespace {

constexpr uint64_t kSeed = 17;
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
// Around the eight lanes of the sums, and the shapes that models have.
constexpr int64_t kLengths[] = {1, 2, 7, 8, 9, 10, 16, 63, 64, 65, 300, 784};

std::vector<float> Randoms(Rng& rng, int64_t n, double mean = 0,
                           double deviation = 1) {
  std::vector<float> values(n);
  for (float& value : values) {
    value = static_cast<float>(mean + deviation * rng.Gaussian());
  }
  return values;
}

std::vector<double> LayerNormOracle(const std::vector<double>& x,
                                    const std::vector<float>& gain,
                                    const std::vector<float>& bias) {
  const auto n = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (const double value : x) mean += value / n;
  for (const double value : x) variance += (value - mean) * (value - mean) / n;
  std::vector<double> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * gain[i] + bias[i];
  }
  return y;
}

std::vector<double> SoftmaxOracle(const std::vector<double>& x) {
  const double largest = *std::max_element(x.begin(), x.end());
  std::vector<double> p(x.size());
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += p[i] = std::exp(x[i] - largest);
  for (double& value : p) value /= sum;
  return p;
}

std::vector<double> Widen(const std::vector<float>& x) {
  return {x.begin(), x.end()};
}

// d loss / d x[i] by central differences in double precision.
double Slope(std::vector<double> x, size_t i,
             const std::function<double(const std::vector<double>&)>& loss) {
  constexpr double kStep = 1e-5;
  const double at = x[i];
  x[i] = at + kStep;
  const double above = loss(x);
  x[i] = at - kStep;
  return (above - loss(x)) / (2 * kStep);
}

double WeightedSum(const std::vector<double>& y, const std::vector<float>& dy) {
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
  return sum;
}

TEST(LayerNormTest, MatchesDoubleLoops) {
  Rng rng(kSeed);
  for (const int64_t n : kLengths) {
    SCOPED_TRACE(n);
    // A mean well above the deviation: the variance must be of differences.
    const std::vector<float> x = Randoms(rng, n, 30, 2);
    const std::vector<float> gain = Randoms(rng, n, 1, 0.3);
    const std::vector<float> bias = Randoms(rng, n);
    std::vector<float> y(n);
    float stats[2];
    LayerNorm(x.data(), 1, n, gain.data(), bias.data(), y.data(), stats);
    const std::vector<double> expected = LayerNormOracle(Widen(x), gain, bias);
    // The mean is off by some epsilons of 30, which n = 1 magnifies by
    // 1 / sqrt(1e-5); other lengths have a deviation near 2.
    const double scale = n == 1 ? 0 : 40;
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(y[i], expected[i], (scale + 8) * kEpsilon * 8) << i;
    }
  }
}

TEST(LayerNormTest, WritesTheSameWithoutStats) {
  Rng rng(kSeed);
  const std::vector<float> x = Randoms(rng, 65), gain = Randoms(rng, 65),
                           bias = Randoms(rng, 65);
  std::vector<float> with(65), without(65);
  float stats[2];
  LayerNorm(x.data(), 1, 65, gain.data(), bias.data(), with.data(), stats);
  LayerNorm(x.data(), 1, 65, gain.data(), bias.data(), without.data(), nullptr);
  EXPECT_EQ(with, without);
}

TEST(LayerNormTest, GivesTheBiasForAConstantRow) {
  const std::vector<float> x(10, 3.5f), gain(10, 2.0f), bias(10, 0.25f);
  std::vector<float> y(10);
  LayerNorm(x.data(), 1, 10, gain.data(), bias.data(), y.data(), nullptr);
  for (const float value : y) EXPECT_FLOAT_EQ(value, 0.25f);
}

TEST(LayerNormTest, BackwardMatchesCentralDifferences) {
  Rng rng(kSeed);
  for (const int64_t n : {2, 7, 8, 10, 65}) {
    SCOPED_TRACE(n);
    const std::vector<float> x = Randoms(rng, n, 0.5);
    const std::vector<float> gain = Randoms(rng, n, 1, 0.3);
    const std::vector<float> bias = Randoms(rng, n);
    const std::vector<float> dy = Randoms(rng, n);
    std::vector<float> y(n), dx(n, 99.0f), dgain(n, 3.0f), dbias(n, -2.0f);
    float stats[2];
    LayerNorm(x.data(), 1, n, gain.data(), bias.data(), y.data(), stats);
    LayerNormBackward(dy.data(), x.data(), stats, 1, n, gain.data(), dx.data(),
                      dgain.data(), dbias.data());
    const std::vector<double> normal = LayerNormOracle(
        Widen(x), std::vector<float>(n, 1.0f), std::vector<float>(n, 0.0f));
    for (int64_t i = 0; i < n; ++i) {
      const double slope = Slope(Widen(x), i, [&](const auto& at) {
        return WeightedSum(LayerNormOracle(at, gain, bias), dy);
      });
      EXPECT_NEAR(dx[i], slope, 1e-4 * (1 + std::abs(slope))) << i;
      EXPECT_NEAR(dgain[i], 3.0 + dy[i] * normal[i], 1e-4) << i;
      EXPECT_NEAR(dbias[i], -2.0 + dy[i], 1e-5) << i;
    }
    std::vector<float> alone(n);
    LayerNormBackward(dy.data(), x.data(), stats, 1, n, gain.data(),
                      alone.data(), nullptr, nullptr);
    EXPECT_EQ(alone, dx);
  }
}

TEST(SoftmaxTest, MatchesDoubleLoopsAlsoInPlace) {
  Rng rng(kSeed);
  for (const int64_t n : kLengths) {
    SCOPED_TRACE(n);
    std::vector<float> x = Randoms(rng, n, 0, 5);
    const std::vector<double> expected = SoftmaxOracle(Widen(x));
    std::vector<float> p(n);
    Softmax(x.data(), n, p.data());
    // exp near its argument's rounding (|x - max| < 64), and n additions.
    const double relative = (64 + static_cast<double>(n)) * kEpsilon;
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(p[i], expected[i], relative * expected[i] + 1e-30) << i;
    }
    Softmax(x.data(), n, x.data());
    EXPECT_EQ(x, p);
  }
}

TEST(SoftmaxTest, StaysFiniteForHugeLogits) {
  const std::vector<float> x = {3e38f, -3e38f, 3e38f, 0};
  std::vector<float> p(4);
  Softmax(x.data(), 4, p.data());
  EXPECT_EQ(p, (std::vector<float>{0.5f, 0, 0.5f, 0}));
}

TEST(SoftmaxRowsTest, IsNearDoubleLoopsAndKeepsRowsApart) {
  Rng rng(kSeed);
  for (const int64_t n : kLengths) {
    constexpr int64_t kRows = 7;
    // From all alike to one that takes all.
    std::vector<float> x;
    for (const double deviation : {0.0, 0.1, 1.0, 3.0, 10.0, 60.0, 1000.0}) {
      const std::vector<float> row = Randoms(rng, n, deviation, deviation);
      x.insert(x.end(), row.begin(), row.end());
    }
    std::vector<float> p = x;
    SoftmaxRows(kRows, n, p.data());
    for (int64_t r = 0; r < kRows; ++r) {
      SCOPED_TRACE(testing::Message() << "row " << r << " of " << n);
      std::vector<float> alone(x.begin() + r * n, x.begin() + (r + 1) * n);
      const std::vector<double> expected = SoftmaxOracle(Widen(alone));
      SoftmaxRows(1, n, alone.data());
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_EQ(p[r * n + i], alone[i]) << i;
        ASSERT_NEAR(alone[i], expected[i], 4e-7) << i;
      }
    }
  }
}

TEST(SoftmaxRowsTest, SmallNumbersAreExactOnTheirOwnScale) {
  for (float x = 0; x >= -87; x -= 0.37f) {
    float p[] = {0, x};
    SoftmaxRows(1, 2, p);
    EXPECT_NEAR(p[1] / p[0] / std::exp(static_cast<double>(x)), 1, 1e-6) << x;
  }
  float p[] = {0, -1000};
  SoftmaxRows(1, 2, p);
  EXPECT_NEAR(p[1] / std::exp(-87.0), 1, 1e-6);
}

TEST(SoftmaxRowsTest, NanStaysInItsRow) {
  std::vector<float> x(30, 1.0f);
  x[13] = std::numeric_limits<float>::quiet_NaN();
  SoftmaxRows(3, 10, x.data());
  for (int64_t i = 0; i < 30; ++i) {
    EXPECT_EQ(std::isnan(x[i]), i / 10 == 1) << i;
  }
}

TEST(FirstLargestTest, IsThatOfAPlainLoopForEveryLength) {
  Rng rng(kSeed);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (int64_t n = 0; n <= 40; ++n) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::vector<float> x(n);
      int64_t want = -1;
      for (int64_t i = 0; i < n; ++i) {
        // Few values, so that many are equal.
        const uint64_t value = rng.Below(6);
        x[i] = value == 0   ? kNan
               : value == 1 ? -kInfinity
                            : static_cast<float>(value) - 4;
        if (value < 2) continue;
        if (want < 0 || x[i] > x[want]) want = i;
      }
      ASSERT_EQ(FirstLargest(x.data(), n), want) << n;
    }
  }
}

TEST(SumScaledRowsTest, IsThePlainLoopToTheBit) {
  Rng rng(kSeed);
  for (const int64_t rows : {1, 3, 8, 17}) {
    for (const int64_t n : {1, 7, 8, 9, 16, 33}) {
      const std::vector<float> x = Randoms(rng, rows * n);
      const std::vector<float> a = Randoms(rng, rows);
      std::vector<uint8_t> use(rows);
      for (uint8_t& u : use) u = rng.Below(2) == 0;
      std::vector<float> want(n), y(n, 99.0f);
      for (int64_t j = 0; j < rows; ++j) {
        if (use[j] != 0) AddScaled(x.data() + j * n, a[j], n, want.data());
      }
      SumScaledRows(x.data(), a.data(), use.data(), rows, n, y.data());
      EXPECT_EQ(y, want) << rows << " rows of " << n;
    }
  }
}

TEST(SoftmaxTest, BackwardAddsTheCentralDifferences) {
  Rng rng(kSeed);
  for (const int64_t n : {1, 2, 8, 10, 65}) {
    SCOPED_TRACE(n);
    const std::vector<float> x = Randoms(rng, n), dp = Randoms(rng, n);
    std::vector<float> p(n), dx(n, 0.5f);
    Softmax(x.data(), n, p.data());
    SoftmaxBackwardAdd(p.data(), dp.data(), n, dx.data());
    for (int64_t i = 0; i < n; ++i) {
      const double slope = Slope(Widen(x), i, [&](const auto& at) {
        return WeightedSum(SoftmaxOracle(at), dp);
      });
      EXPECT_NEAR(dx[i], 0.5 + slope, 1e-5) << i;
    }
  }
}

TEST(ElementwiseTest, AddAndAddScaledAndDotMatchLoops) {
  Rng rng(kSeed);
  for (const int64_t n : kLengths) {
    SCOPED_TRACE(n);
    const std::vector<float> x = Randoms(rng, n), start = Randoms(rng, n);
    std::vector<float> sum = start, scaled = start;
    Add(x.data(), n, sum.data());
    AddScaled(x.data(), 0.75f, n, scaled.data());
    double dot = 0, magnitude = 0;
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_EQ(sum[i], start[i] + x[i]);
      EXPECT_NEAR(scaled[i], start[i] + 0.75 * x[i], 4 * kEpsilon);
      dot += double{x[i]} * start[i];
      magnitude += std::abs(double{x[i]} * start[i]);
    }
    EXPECT_NEAR(Dot(x.data(), start.data(), n), dot,
                (static_cast<double>(n) / 8 + 4) * kEpsilon * magnitude);
  }
}

}  // namespace
}  // namespace mre
