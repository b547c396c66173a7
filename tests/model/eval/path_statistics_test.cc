#include "model/eval/path_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace mre {
namespace {

TEST(PathStatisticsTest, OnePathHasNoEntropy) {
  const PathStatistics s =
      StatisticsOfPaths(std::vector<int32_t>{0, 5, 0, 5, 0, 5}, 2);
  EXPECT_EQ(s.paths, 1);
  EXPECT_EQ(s.entropy, 0);
  EXPECT_EQ(s.mutual_information, std::vector<double>{0});
  EXPECT_EQ(s.normalised, std::vector<double>{0});
}

TEST(PathStatisticsTest, FirstDecidesSecond) {
  // 0-4 twice, 1-5 once, 2-5 once: H(first) = 1.5, H(second) = 1 = information.
  const PathStatistics s =
      StatisticsOfPaths(std::vector<int32_t>{0, 4, 0, 4, 1, 5, 2, 5}, 2);
  EXPECT_EQ(s.paths, 3);
  EXPECT_DOUBLE_EQ(s.entropy, 1.5);
  EXPECT_DOUBLE_EQ(s.mean_information(), 1);
  EXPECT_DOUBLE_EQ(s.mean_normalised(), 1);
}

TEST(PathStatisticsTest, IndependentPositionsShareNothing) {
  const PathStatistics s =
      StatisticsOfPaths(std::vector<int32_t>{0, 2, 0, 3, 1, 2, 1, 3}, 2);
  EXPECT_EQ(s.paths, 4);
  EXPECT_DOUBLE_EQ(s.entropy, 2);
  EXPECT_DOUBLE_EQ(s.mean_information(), 0);
}

TEST(PathStatisticsTest, PartlyDependentPositions) {
  // 0-2 three times, 1-3 three times, 0-3 and 1-2 once each:
  // 1 + 1 - H(3/8, 3/8, 1/8, 1/8) bits.
  const PathStatistics s = StatisticsOfPaths(
      std::vector<int32_t>{0, 2, 0, 2, 0, 2, 1, 3, 1, 3, 1, 3, 0, 3, 1, 2}, 2);
  const double both = 2 * (3.0 / 8) * std::log2(8.0 / 3) + 2 * (1.0 / 8) * 3;
  EXPECT_NEAR(s.mutual_information[0], 2 - both, 1e-12);
  EXPECT_NEAR(s.normalised[0], 2 - both, 1e-12);
}

TEST(PathStatisticsTest, HasAnEntryForEachPairOfPositions) {
  // Position 1 repeats position 0; position 2 is always the same.
  const PathStatistics s =
      StatisticsOfPaths(std::vector<int32_t>{0, 2, 4, 1, 3, 4}, 3);
  EXPECT_EQ(s.mutual_information, (std::vector<double>{1, 0}));
  EXPECT_EQ(s.normalised, (std::vector<double>{1, 0}));
  EXPECT_DOUBLE_EQ(s.mean_information(), 0.5);
}

TEST(PathStatisticsTest, PathsOfOneExpertHaveNoPairs) {
  const PathStatistics s = StatisticsOfPaths(std::vector<int32_t>{0, 1}, 1);
  EXPECT_EQ(s.paths, 2);
  EXPECT_DOUBLE_EQ(s.entropy, 1);
  EXPECT_EQ(s.mean_information(), 0);
}

TEST(PathStatisticsTest, FirstStepsKeepsTheBeginningOfEachRow) {
  EXPECT_EQ(FirstSteps(std::vector<int32_t>{1, 2, 3, 4, 5, 6}, 3, 2),
            (std::vector<int32_t>{1, 2, 4, 5}));
}

}  // namespace
}  // namespace mre
