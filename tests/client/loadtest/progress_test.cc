#include "client/loadtest/progress.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

TEST(ProgressTest, SaysAllInALine) {
  ProgressFacts facts;
  facts.seconds = 3.02;
  facts.ended = 12034;
  facts.failed = 2;
  facts.in_flight = 64;
  facts.per_second = 4010;
  facts.p99_nanos = 21.3e6;
  facts.seconds_left = 7;
  EXPECT_EQ(ProgressLine(facts),
            "   3s  12,034 done  64 in flight  2 errors  4,010/s  p99 21.3ms  "
            "7s left");
}

}  // namespace
}  // namespace mre
