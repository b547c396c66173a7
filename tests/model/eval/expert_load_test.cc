#include "model/eval/expert_load.h"

#include <gtest/gtest.h>

#include <vector>

namespace mre {
namespace {

TEST(ExpertLoadTest, CountsTheShareOfTheInputs) {
  EXPECT_EQ(SharesOf(std::vector<int32_t>{0, 2, 0, 1}, 4, 2),
            (std::vector<double>{1, .5, .5, 0}));
}

TEST(ExpertLoadTest, ComparesTheLargestWithTheMean) {
  const ExpertLoad load = LoadOf(std::vector<double>{1, .5, .5, 0});
  EXPECT_EQ(load.least, 0);
  EXPECT_EQ(load.largest, 1);
  EXPECT_EQ(load.mean, 0.5);
  EXPECT_EQ(load.max_over_mean, 2);
  EXPECT_EQ(load.dead, 1);
}

TEST(ExpertLoadTest, NoExpertRan) {
  const ExpertLoad load = LoadOf(std::vector<double>{0, 0});
  EXPECT_EQ(load.max_over_mean, 0);
  EXPECT_EQ(load.dead, 2);
}

}  // namespace
}  // namespace mre
