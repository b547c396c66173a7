#include "server/schedule/brownout.h"

#include <algorithm>
#include <cstdint>

#include "gtest/gtest.h"

namespace mre {
namespace {

using absl::Milliseconds;

// Marks at 10, 20 and 100 ms.
BrownoutOptions Marks() {
  BrownoutOptions options;
  options.end = Milliseconds(10);
  options.begin = Milliseconds(20);
  options.full = Milliseconds(100);
  return options;
}

QueueSnapshot Waited(double ms) {
  QueueSnapshot queue;
  queue.waited = Milliseconds(ms);
  queue.rows = 1;
  queue.limit = 1000;
  return queue;
}

QueueSnapshot Holds(int64_t rows) {
  QueueSnapshot queue;
  queue.rows = rows;
  queue.limit = 1000;
  return queue;
}

TEST(BrownoutTest, GrantsEverythingUpToTheFirstMark) {
  EXPECT_EQ(NextLevel(Marks(), {}, 0), 0);
  EXPECT_EQ(NextLevel(Marks(), Waited(20), 0), 0);
  EXPECT_GT(NextLevel(Marks(), Waited(21), 0), 0);
}

TEST(BrownoutTest, LowersByTheWaitUpToTheSecondMark) {
  EXPECT_DOUBLE_EQ(NextLevel(Marks(), Waited(60), 0), 0.5);
  EXPECT_LT(NextLevel(Marks(), Waited(99), 0), 1);
  EXPECT_EQ(NextLevel(Marks(), Waited(100), 0), 1);
  EXPECT_EQ(NextLevel(Marks(), Waited(1e6), 0), 1);
}

TEST(BrownoutTest, AFullerQueueOrALongerWaitNeverGrantsMore) {
  for (double level = 0; level <= 1; level += 0.125) {
    double before = 0;
    for (double wait = 0; wait <= 130; wait += 0.5) {
      const double now = NextLevel(Marks(), Waited(wait), level);
      EXPECT_GE(now, before) << wait << " ms at " << level;
      EXPECT_LE(now, 1);
      before = now;
    }
    before = 0;
    for (int64_t rows = 0; rows <= 1000; rows += 5) {
      const double now = NextLevel(Marks(), Holds(rows), level);
      EXPECT_GE(now, before) << rows << " rows at " << level;
      EXPECT_LE(now, 1);
      before = now;
    }
  }
}

TEST(BrownoutTest, BetweenTheMarksNothingChanges) {
  const BrownoutOptions options = Marks();
  for (double wait = 10.5; wait <= 20; wait += 0.5) {
    EXPECT_EQ(NextLevel(options, Waited(wait), 0), 0) << wait;
  }
  // The same band, further up: lowered at 60 ms, it stays down to 50.
  const double lowered = NextLevel(options, Waited(60), 0);
  for (double wait = 60; wait >= 50.5; wait -= 0.5) {
    EXPECT_EQ(NextLevel(options, Waited(wait), lowered), lowered) << wait;
  }
  EXPECT_LT(NextLevel(options, Waited(49), lowered), lowered);
  EXPECT_GT(NextLevel(options, Waited(49), lowered), 0);
}

TEST(BrownoutTest, AWaitThatWaversInTheBandMovesNothing) {
  double level = NextLevel(Marks(), Waited(60), 0);
  const double settled = level;
  for (int i = 0; i < 100; ++i) {
    level = NextLevel(Marks(), Waited(i % 2 == 0 ? 51 : 60), level);
    EXPECT_EQ(level, settled);
  }
}

TEST(BrownoutTest, BelowTheLowestMarkEverythingIsGrantedAgain) {
  EXPECT_GT(NextLevel(Marks(), Waited(11), 1), 0);
  EXPECT_EQ(NextLevel(Marks(), Waited(10), 1), 0);
  EXPECT_EQ(NextLevel(Marks(), {}, 1), 0) << "an empty queue";
}

TEST(BrownoutTest, AQueueThatFillsLowersBeforeItRefuses) {
  EXPECT_EQ(NextLevel(Marks(), Holds(500), 0), 0);
  EXPECT_GT(NextLevel(Marks(), Holds(501), 0), 0);
  EXPECT_LT(NextLevel(Marks(), Holds(749), 0), 1);
  EXPECT_EQ(NextLevel(Marks(), Holds(750), 0), 1);
  // And lets go a tenth of the queue later.
  EXPECT_EQ(NextLevel(Marks(), Holds(650), 1), 1);
  EXPECT_LT(NextLevel(Marks(), Holds(640), 1), 1);
  EXPECT_EQ(NextLevel(Marks(), Holds(400), 1), 0);
}

TEST(BrownoutTest, OfWaitAndFillTheWorseCounts) {
  QueueSnapshot queue = Holds(625);  // by itself half
  queue.waited = Milliseconds(28);   // a tenth
  EXPECT_DOUBLE_EQ(NextLevel(Marks(), queue, 0), 0.5);
  queue.waited = Milliseconds(92);
  EXPECT_DOUBLE_EQ(NextLevel(Marks(), queue, 0), 0.9);
}

TEST(BrownoutTest, ALowestMarkOfZeroNeedsAnEmptyQueue) {
  BrownoutOptions options;
  options.end = options.begin = absl::ZeroDuration();
  options.full = absl::Microseconds(1);
  EXPECT_EQ(NextLevel(options, Waited(1), 0), 1);
  EXPECT_EQ(NextLevel(options, {}, 1), 0);
}

TEST(BrownoutTest, OffLowersNothing) {
  BrownoutOptions options = Marks();
  options.on = false;
  EXPECT_EQ(NextLevel(options, Waited(1000), 0), 0);
  EXPECT_EQ(NextLevel(options, Holds(1000), 1), 0);
}

TEST(StepCapTest, GoesFromAllStepsToTheFloor) {
  EXPECT_EQ(StepCap(0, 4, 32), 32u);
  EXPECT_EQ(StepCap(0.5, 4, 32), 12u);
  EXPECT_EQ(StepCap(1, 4, 32), 4u);
  EXPECT_EQ(StepCap(1, 0, 32), 0u);
}

TEST(StepCapTest, AHigherLevelNeverGrantsMoreAndTheFloorHolds) {
  for (const uint32_t most : {1u, 4u, 5u, 12u, 32u, 1536u}) {
    for (const uint32_t floor : {0u, 1u, 4u, 31u, 5000u}) {
      uint32_t before = most;
      for (double level = 0; level <= 1; level += 1.0 / 256) {
        const uint32_t cap = StepCap(level, floor, most);
        EXPECT_LE(cap, before);
        EXPECT_GE(cap, std::min(floor, most));
        before = cap;
      }
      EXPECT_EQ(before, std::min(floor, most));
    }
  }
}

TEST(StepCapTest, AModelOfNoMoreStepsThanTheFloorIsLeftAlone) {
  for (const double level : {0.0, 0.5, 1.0}) {
    EXPECT_EQ(StepCap(level, 4, 4), 4u);
    EXPECT_EQ(StepCap(level, 4, 1), 1u);
  }
}

}  // namespace
}  // namespace mre
