#include "model/net/features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "model/base/rng.h"

namespace mre {
namespace {

ModelConfig MapConfig(int64_t height, int64_t width, int64_t channels) {
  ModelConfig config;
  config.expert = ExpertKind::kConv;
  config.input = {{height, width, 1}, 1, {0}, {1}};
  config.patch = {1, 1, 0};
  config.width = channels;
  return config;
}

std::vector<float> Random(int64_t size, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

TEST(FeaturesTest, AnMlpReadsItsStream) {
  ModelConfig config;
  config.width = 7;
  EXPECT_TRUE(Features(config).identity());
  EXPECT_EQ(Features(config).size(), 7);
}

// On a 7x7 map the windows are rows and columns 0-2, 2-4, 4-6. Two channels
// that mirror each other keep the LayerNorm's mean at 0.
TEST(FeaturesTest, PoolsTheMapAndNineWindows) {
  const Features features(MapConfig(7, 7, 2));
  std::vector<float> stream(7 * 7 * 2, 0.0f);
  stream[(2 * 7 + 6) * 2] = 9;  // in windows (0,2) and (1,2)
  stream[(2 * 7 + 6) * 2 + 1] = -9;
  std::vector<float> f(features.size());
  float stats[2];
  features.Forward(stream.data(), f.data(), stats);
  EXPECT_FLOAT_EQ(stats[0], 0);
  const float one = 1 / stats[1];
  for (int64_t window = 0; window < 10; ++window) {
    float mean = 0;
    if (window == 0) mean = 9.0f / 49;
    if (window == 1 + 2 || window == 1 + 3 + 2) mean = 1;
    EXPECT_NEAR(f[2 * window] * one, mean, 1e-5) << window;
    EXPECT_NEAR(f[2 * window + 1] * one, -mean, 1e-5) << window;
  }
}

TEST(FeaturesTest, GradientAgreesWithCentralDifferences) {
  for (const auto& [height, width, channels] :
       {std::tuple(7, 7, 3), std::tuple(3, 2, 5), std::tuple(1, 1, 4)}) {
    const Features features(MapConfig(height, width, channels));
    std::vector<float> stream = Random(height * width * channels, 1);
    const std::vector<float> weights = Random(features.size(), 2);
    std::vector<float> f(features.size());
    float stats[2];
    const auto loss = [&] {
      features.Forward(stream.data(), f.data(), stats);
      double sum = 0;
      for (size_t i = 0; i < f.size(); ++i) sum += f[i] * weights[i];
      return sum;
    };
    loss();
    std::vector<float> gradient(stream.size(), 1.0f);  // is added to
    features.Backward(weights.data(), stream.data(), stats, gradient.data());
    for (size_t i = 0; i < stream.size(); ++i) {
      const float value = stream[i];
      stream[i] = value + 5e-3f;
      const double above = loss();
      stream[i] = value - 5e-3f;
      const double below = loss();
      stream[i] = value;
      EXPECT_NEAR(gradient[i] - 1, (above - below) / 1e-2,
                  2e-3 + 0.01 * std::abs(gradient[i] - 1))
          << i << " of " << height << "x" << width;
    }
  }
}

}  // namespace
}  // namespace mre
