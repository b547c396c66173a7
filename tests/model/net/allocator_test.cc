#include "model/net/allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/base/rng.h"

namespace mre {
namespace {

using ::testing::Each;
using ::testing::Gt;

TEST(AllocateTest, TakesTheLargestAndGivesTiesToTheFewer) {
  EXPECT_EQ(Allocate(std::vector<float>{0.5f}, 0, 1), 1);
  EXPECT_EQ(Allocate(std::vector<float>{-2, -1, -3}, 0, 1), 2);
  EXPECT_EQ(Allocate(std::vector<float>{1, 3, 3}, 0, 1), 2);
}

TEST(AllocateTest, NoiseOfOneDrawsFromTheSoftmax) {
  std::vector<float> a = {0, std::log(2.0f), std::log(5.0f)};
  for (float& value : a) value *= kAllocatorTemperature;
  std::vector<double> share(4);
  constexpr int kDraws = 20000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    share[Allocate(a, 1, Mix64(i))] += 1.0 / kDraws;
  }
  EXPECT_NEAR(share[1], 1.0 / 8, 0.015);
  EXPECT_NEAR(share[2], 2.0 / 8, 0.015);
  EXPECT_NEAR(share[3], 5.0 / 8, 0.015);
}

TEST(DrawPairTest, DrawsLayersAndPairsOfDistinctNumbersAlike) {
  std::vector<int> layers(3);
  std::vector<int> pairs(16);
  for (uint64_t key = 0; key < 12000; ++key) {
    const AllocationPair pair = DrawPair(3, 4, Mix64(key));
    ++layers[pair.layer];
    ++pairs[(pair.k - 1) * 4 + pair.other - 1];
  }
  EXPECT_THAT(layers, Each(Gt(3800)));
  for (int k = 0; k < 4; ++k) {
    EXPECT_EQ(pairs[k * 5], 0);
    pairs[k * 5] = 1000;
  }
  EXPECT_THAT(pairs, Each(Gt(880)));
}

TEST(PairLossTest, FallsAsTheCheaperWayGains) {
  const AllocationPair pair = {.layer = 0, .k = 3, .other = 1, .regret = 0.5};
  std::vector<float> a = {0.025f, 9, -0.05f};
  std::vector<float> da(3);
  const double loss = PairLoss(pair, a, 2, da.data());
  EXPECT_NEAR(loss, kAllocatorTemperature * 0.5 / (1 + std::exp(0.75)), 1e-6);
  EXPECT_EQ(da[1], 0);
  constexpr float kStep = 1e-3f;
  for (const int i : {0, 2}) {
    std::vector<float> above = a;
    std::vector<float> below = a;
    above[i] += kStep;
    below[i] -= kStep;
    const double slope = (PairLoss(pair, above, 1, nullptr) -
                          PairLoss(pair, below, 1, nullptr)) /
                         (2 * kStep);
    EXPECT_NEAR(da[i], 2 * slope, 1e-4);
  }
  EXPECT_GT(da[2], 0);  // three experts cost more
}

}  // namespace
}  // namespace mre
