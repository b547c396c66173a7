#include "model/compare/plan_time.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

TEST(PlanTimeTest, ARunLastsAsLongAsItsOtherSeeds) {
  EXPECT_EQ(SecondsLeft({{"a", 10}, {"b", 2}, {"a", {}}, {"b", {}}}), 12);
  EXPECT_EQ(SecondsLeft({{"a", 10}, {"a", 20}, {"a", {}}}), 15);
}

TEST(PlanTimeTest, ANewRunLastsAsLongAsTheOthers) {
  EXPECT_EQ(SecondsLeft({{"a", 10}, {"b", 2}, {"c", {}}, {"c", {}}}), 12);
}

TEST(PlanTimeTest, NothingIsKnownBeforeTheFirstIsDone) {
  EXPECT_FALSE(SecondsLeft({{"a", {}}}));
  EXPECT_EQ(SecondsLeft({{"a", 3}}), 0);
  EXPECT_EQ(SecondsSpent({{"a", 3}, {"b", {}}, {"b", 4}}), 7);
}

}  // namespace
}  // namespace mre
