#include "model/net/patches.h"

#include <gtest/gtest.h>

#include <vector>

#include "model/base/rng.h"

namespace mre {
namespace {

struct Case {
  MapShape map;
  PatchConfig patch;
};

const Case kCases[] = {{{5, 4, 2}, {3, 2, 1}},
                       {{4, 4, 1}, {2, 2, 0}},
                       {{3, 7, 3}, {1, 1, 0}},
                       {{6, 2, 2}, {5, 3, 4}},
                       {{2, 2, 1}, {2, 5, 1}}};

std::vector<float> Random(int64_t size, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

TEST(PatchesTest, AreThePixelsOfTheirSquares) {
  constexpr int64_t kRows = 3;
  for (const auto& [map, patch] : kCases) {
    const MapShape out = MapOfPatches(map, patch, 1);
    const std::vector<float> x = Random(kRows * map.size(), 1);
    std::vector<float> patches(
        kRows * out.positions() * PatchElements(map, patch), -1);
    GatherPatches(map, patch, x.data(), kRows, patches.data());
    auto at = patches.begin();
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t p = 0; p < out.positions(); ++p) {
        for (int64_t k = 0; k < PatchElements(map, patch); ++k, ++at) {
          const int64_t c = k % map.channels;
          const int64_t i = p / out.width * patch.stride - patch.padding +
                            k / map.channels / patch.size;
          const int64_t j = p % out.width * patch.stride - patch.padding +
                            k / map.channels % patch.size;
          const bool inside =
              i >= 0 && i < map.height && j >= 0 && j < map.width;
          ASSERT_EQ(
              *at,
              inside
                  ? x[((r * map.height + i) * map.width + j) * map.channels + c]
                  : 0.0f);
        }
      }
    }
    EXPECT_EQ(at, patches.end());
  }
}

// <gather(x), y> = <x, scatter(y)>.
TEST(PatchesTest, ScatterIsTheTransposeOfGather) {
  constexpr int64_t kRows = 2;
  for (const auto& [map, patch] : kCases) {
    const std::vector<float> x = Random(kRows * map.size(), 1);
    const std::vector<float> y =
        Random(kRows * MapOfPatches(map, patch, 1).positions() *
                   PatchElements(map, patch),
               2);
    std::vector<float> gathered(y.size());
    GatherPatches(map, patch, x.data(), kRows, gathered.data());
    std::vector<float> scattered(x.size(), -1);
    ScatterPatches(map, patch, y.data(), kRows, scattered.data());
    double left = 0;
    double right = 0;
    for (size_t i = 0; i < y.size(); ++i) left += double{gathered[i]} * y[i];
    for (size_t i = 0; i < x.size(); ++i) right += double{x[i]} * scattered[i];
    EXPECT_NEAR(left, right, 1e-4);
  }
}

}  // namespace
}  // namespace mre
