#include "model/eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace mre {
namespace {

TEST(StatisticsTest, SpreadDividesByOneLessThanTheNumber) {
  const Spread spread = SpreadOf(std::vector<double>{1, 2, 6});
  EXPECT_DOUBLE_EQ(spread.mean, 3);
  EXPECT_DOUBLE_EQ(spread.deviation, std::sqrt(7.0));  // (4 + 1 + 9) / 2
  EXPECT_EQ(spread.least, 1);
  EXPECT_EQ(spread.most, 6);
}

TEST(StatisticsTest, OneValueHasNoDeviation) {
  EXPECT_EQ(SpreadOf(std::vector<double>{4}).deviation, 0);
}

TEST(StatisticsTest, RankCorrelationSeesOnlyTheOrder) {
  const std::vector<double> a = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(*RankCorrelation(a, std::vector<double>{0, 1, 50, 60}), 1);
  EXPECT_DOUBLE_EQ(*RankCorrelation(a, std::vector<double>{9, 7, 1, -3}), -1);
  // 1 - 6 * (1 + 1 + 1 + 1) / (4 * 15).
  EXPECT_DOUBLE_EQ(*RankCorrelation(a, std::vector<double>{2, 1, 4, 3}), 0.6);
}

TEST(StatisticsTest, EqualValuesShareTheirRank) {
  // Ranks 0.5 0.5 2 and 0 1 2: covariance 1.5, variances 1.5 and 2.
  EXPECT_DOUBLE_EQ(*RankCorrelation(std::vector<double>{5, 5, 8},
                                    std::vector<double>{1, 2, 3}),
                   1.5 / std::sqrt(1.5 * 2));
}

TEST(StatisticsTest, ConstantValuesHaveNoRankCorrelation) {
  EXPECT_FALSE(RankCorrelation(std::vector<double>{1, 1, 1},
                               std::vector<double>{1, 2, 3}));
  EXPECT_FALSE(RankCorrelation(std::vector<double>{1, 2, 3},
                               std::vector<double>{7, 7, 7}));
}

TEST(StatisticsTest, MeansByRankCutsTheSortedInputs) {
  const std::vector<double> key = {5, 1, 4, 2, 3};
  const std::vector<double> value = {50, 10, 40, 20, 30};
  EXPECT_EQ(MeansByRank(key, value, 2), (std::vector<double>{15, 40}));
  EXPECT_EQ(MeansByRank(key, value, 5),
            (std::vector<double>{10, 20, 30, 40, 50}));
}

}  // namespace
}  // namespace mre
