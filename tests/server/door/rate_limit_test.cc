#include "server/door/rate_limit.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

constexpr absl::Duration kNow = absl::ZeroDuration();
const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

TEST(RateLimitTest, ABurstAndThenTheRate) {
  RateLimit limit(10, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.Take(kStart), kNow);
  const absl::Duration wait = limit.Take(kStart);
  EXPECT_GE(wait, absl::Milliseconds(100));
  EXPECT_LT(wait, absl::Milliseconds(101));
  // Who comes back when told to gets in, and only once.
  EXPECT_EQ(limit.Take(kStart + wait), kNow);
  EXPECT_GT(limit.Take(kStart + wait), kNow);
}

TEST(RateLimitTest, OverTimeNoMoreThanTheRate) {
  RateLimit limit(100, 5);
  int taken = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    if (limit.Take(kStart + absl::Milliseconds(ms)) == kNow) ++taken;
  }
  EXPECT_GE(taken, 1000);
  EXPECT_LE(taken, 1005);
}

TEST(RateLimitTest, ARestFillsItToTheBurstOnly) {
  RateLimit limit(10, 2);
  EXPECT_EQ(limit.Take(kStart), kNow);
  const absl::Time later = kStart + absl::Hours(1000);
  EXPECT_EQ(limit.Take(later), kNow);
  EXPECT_EQ(limit.Take(later), kNow);
  EXPECT_GT(limit.Take(later), kNow);
}

TEST(RateLimitTest, TimeThatGoesBackFillsNothing) {
  RateLimit limit(1, 1);
  EXPECT_EQ(limit.Take(kStart), kNow);
  EXPECT_GT(limit.Take(kStart - absl::Hours(1)), kNow);
  EXPECT_GT(limit.Take(kStart), kNow);
  EXPECT_EQ(limit.Take(kStart + absl::Seconds(1)), kNow);
}

TEST(RateLimitTest, LessThanOneASecond) {
  RateLimit limit(0.01, 1);
  EXPECT_EQ(limit.Take(kStart), kNow);
  EXPECT_GT(limit.Take(kStart), absl::Seconds(99));
  EXPECT_GT(limit.Take(kStart + absl::Seconds(99)), kNow);
  EXPECT_EQ(limit.Take(kStart + absl::Seconds(101)), kNow);
}

}  // namespace
}  // namespace mre
