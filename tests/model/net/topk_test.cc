#include "model/net/topk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace mre {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(ChooseTopkTest, TakesTheLargestAndGivesTiesToTheLower) {
  const std::vector<float> score = {1, 3, 3, -2, 3};
  std::vector<int32_t> one(1), two(2), all(5);
  ChooseTopk(score, one);
  EXPECT_THAT(one, ElementsAre(1));
  ChooseTopk(score, two);
  EXPECT_THAT(two, ElementsAre(1, 2));
  ChooseTopk(score, all);
  EXPECT_THAT(all, ElementsAre(0, 1, 2, 3, 4));
}

TEST(TopkWeightsTest, OneKeepsItsProbabilityMoreShareTheirSum) {
  const std::vector<float> p = {0.1f, 0.2f, 0.3f, 0.4f};
  const std::array<int32_t, 1> one = {3};
  float weight = 0;
  TopkWeights(p, one, &weight);
  EXPECT_FLOAT_EQ(weight, 0.4f);
  const std::array<int32_t, 2> two = {1, 2};
  std::array<float, 2> weights;
  TopkWeights(p, two, weights.data());
  EXPECT_THAT(weights, ElementsAre(FloatEq(0.4f), FloatEq(0.6f)));
}

}  // namespace
}  // namespace mre
