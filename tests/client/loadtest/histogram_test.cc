#include "client/loadtest/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "model/base/rng.h"

namespace mre {
namespace {

constexpr double kQuantiles[] = {0,   0.001, 0.1,  0.25,  0.5,    0.75,
                                 0.9, 0.95,  0.99, 0.999, 0.9999, 1};

// Nearest rank, from the sorted samples.
uint64_t Exact(const std::vector<uint64_t>& sorted, double q) {
  const auto size = static_cast<double>(sorted.size());
  const auto rank = static_cast<size_t>(std::max(std::ceil(q * size), 1.0));
  return sorted[std::min(rank, sorted.size()) - 1];
}

void ExpectWithinBound(const Histogram& histogram,
                       std::vector<uint64_t> samples) {
  std::sort(samples.begin(), samples.end());
  for (const double q : kQuantiles) {
    const auto exact = static_cast<double>(Exact(samples, q));
    EXPECT_NEAR(static_cast<double>(histogram.Quantile(q)), exact,
                exact * Histogram::kMaxRelativeError)
        << "quantile " << q;
  }
  EXPECT_EQ(histogram.count(), samples.size());
  EXPECT_EQ(histogram.min(), samples.front());
  EXPECT_EQ(histogram.max(), samples.back());
}

struct Distribution {
  const char* name;
  std::function<double(Rng&)> draw;
};

std::vector<Distribution> Distributions() {
  return {
      {"constant", [](Rng&) { return 123456789.0; }},
      {"uniform", [](Rng& rng) { return 1e9 * rng.Uniform(); }},
      {"exponential", [](Rng& rng) { return -2e6 * std::log(rng.Uniform()); }},
      {"lognormal", [](Rng& rng) { return std::exp(14 + 2 * rng.Gaussian()); }},
      // A heavy tail: infinite variance.
      {"pareto", [](Rng& rng) { return 1e5 * std::pow(rng.Uniform(), -0.7); }},
      {"two modes",
       [](Rng& rng) {
         return rng.Uniform() < 0.98 ? 1e5 + 1e3 * rng.Uniform() : 5e8;
       }},
      {"small whole numbers",
       [](Rng& rng) { return static_cast<double>(rng.Below(300)); }},
      {"any magnitude",
       [](Rng& rng) { return std::exp2(63.9 * rng.Uniform()); }},
  };
}

TEST(HistogramTest, QuantilesAreThoseOfTheSortedSamplesWithinTheBound) {
  for (const Distribution& distribution : Distributions()) {
    for (const uint64_t seed : {1, 2, 3}) {
      for (const size_t count : {1, 2, 10, 999, 20000}) {
        SCOPED_TRACE(std::string(distribution.name) + ", seed " +
                     std::to_string(seed) + ", " + std::to_string(count));
        Rng rng(seed);
        Histogram histogram;
        std::vector<uint64_t> samples;
        for (size_t i = 0; i < count; ++i) {
          samples.push_back(static_cast<uint64_t>(distribution.draw(rng)));
          histogram.Add(samples.back());
        }
        ExpectWithinBound(histogram, samples);
      }
    }
  }
}

TEST(HistogramTest, EveryEdgeOfAPartStaysWithinTheBound) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const int64_t offset : {-1, 0, 1}) {
      const uint64_t value =
          (uint64_t{1} << bit) + static_cast<uint64_t>(offset);
      if (value == 0) continue;
      // Two others, so that the value is neither the smallest nor the largest.
      Histogram histogram;
      histogram.Add(0);
      histogram.Add(value);
      histogram.Add(std::numeric_limits<uint64_t>::max());
      const auto exact = static_cast<double>(value);
      EXPECT_NEAR(static_cast<double>(histogram.Quantile(0.5)), exact,
                  exact * Histogram::kMaxRelativeError)
          << value;
      if (value < 256) {
        EXPECT_EQ(histogram.Quantile(0.5), value);
      }
    }
  }
}

TEST(HistogramTest, MergingIsAddingTheValuesOfBoth) {
  Rng rng(7);
  Histogram all;
  Histogram parts[3];
  double sum = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto value = static_cast<uint64_t>(std::exp(20 * rng.Uniform()));
    all.Add(value);
    parts[rng.Below(2)].Add(value);
    sum += static_cast<double>(value);
  }
  Histogram merged;
  for (const Histogram& part : parts) merged.Merge(part);  // The last is empty.
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.max(), all.max());
  EXPECT_NEAR(merged.Mean(), sum / 5000, sum / 5000 * 1e-9);
  for (const double q : kQuantiles) {
    EXPECT_EQ(merged.Quantile(q), all.Quantile(q)) << q;
  }
}

TEST(HistogramTest, IsZeroWithoutValues) {
  const Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.Mean(), 0);
}

}  // namespace
}  // namespace mre
