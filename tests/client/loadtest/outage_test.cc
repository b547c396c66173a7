#include "client/loadtest/outage.h"

#include <gtest/gtest.h>

#include <vector>

namespace mre {
namespace {

TEST(OutageTest, IsThreeSecondsInARowOfNothingButUnavailable) {
  struct Second {
    uint64_t ended;  // In this second, as the next.
    uint64_t unavailable;
  };
  struct Case {
    const char* name;
    std::vector<Second> seconds;
    bool lost;  // After the last of them, and not before.
  };
  const std::vector<Case> cases = {
      {"all unavailable", {{9, 9}, {1, 1}, {5, 5}}, true},
      {"too short", {{9, 9}, {9, 9}}, false},
      {"after a good start", {{100, 0}, {9, 9}, {9, 9}, {9, 9}}, true},
      {"one refused otherwise", {{9, 9}, {9, 9}, {9, 8}, {9, 9}}, false},
      {"refusals and one unavailable", {{500, 1}, {500, 1}, {500, 1}}, false},
      {"nothing ends", {{0, 0}, {0, 0}, {0, 0}, {0, 0}}, false},
      {"a second in which nothing ends",
       {{9, 9}, {9, 9}, {0, 0}, {9, 9}, {9, 9}},
       false},
  };
  for (const Case& one : cases) {
    Outage outage;
    uint64_t ended = 0;
    uint64_t unavailable = 0;
    for (size_t i = 0; i < one.seconds.size(); ++i) {
      ended += one.seconds[i].ended;
      unavailable += one.seconds[i].unavailable;
      EXPECT_EQ(outage.AddSecond(ended, unavailable),
                one.lost && i + 1 == one.seconds.size())
          << one.name << ", second " << i;
    }
  }
}

}  // namespace
}  // namespace mre
