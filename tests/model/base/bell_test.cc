#include "model/base/bell.h"

#include <thread>

#include "gtest/gtest.h"

namespace mre {
namespace {

TEST(BellTest, ARingEndsTheWaitThatIsUnderWay) {
  Bell bell;
  std::thread other([&] { bell.Ring(); });
  EXPECT_TRUE(bell.Wait(absl::InfiniteDuration()));
  other.join();
}

TEST(BellTest, ARingBeforeTheWaitEndsItAndNoOther) {
  Bell bell;
  bell.Ring();
  bell.Ring();
  EXPECT_TRUE(bell.Wait(absl::InfiniteDuration()));
  EXPECT_FALSE(bell.Wait(absl::Microseconds(1)));
}

TEST(BellTest, NothingIsWaitedForWhereTheLimitIsOver) {
  Bell bell;
  EXPECT_FALSE(bell.Wait(absl::ZeroDuration()));
  EXPECT_FALSE(bell.Wait(-absl::InfiniteDuration()));
  bell.Ring();
  EXPECT_TRUE(bell.Wait(-absl::Seconds(1)));
}

}  // namespace
}  // namespace mre
