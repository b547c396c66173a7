#include "model/base/ticker.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace mre {
namespace {

TEST(TickerTest, TicksAgainAndAgainUntilItEnds) {
  std::atomic<int> ticks = 0;
  {
    const Ticker ticker(absl::Microseconds(1), [&] { ++ticks; });
    while (ticks.load() < 3) std::this_thread::yield();
  }
  const int last = ticks.load();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_EQ(ticks.load(), last);
}

TEST(TickerTest, EndsWithoutWaitingForThePeriod) {
  std::atomic<int> ticks = 0;
  {
    const Ticker ticker(absl::Hours(24), [&] { ++ticks; });
  }
  EXPECT_EQ(ticks.load(), 0);
}

}  // namespace
}  // namespace mre
