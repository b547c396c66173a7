#include "server/overload_news.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mre {
namespace {

using testing::IsEmpty;
using What = OverloadNews::What;

class OverloadWatchTest : public testing::Test {
 protected:
  // A second later.
  std::vector<OverloadNews> Look() {
    time_ += absl::Seconds(1);
    return watch_.Look(counts_, time_);
  }

  OverloadWatch watch_;
  Scheduler::Overload counts_;
  absl::Time time_ = absl::UnixEpoch();
};

TEST_F(OverloadWatchTest, TellsOfTheBeginningAndOfTheEnd) {
  EXPECT_THAT(Look(), IsEmpty());
  counts_ = {.lowered = true, .lowerings = 1, .refused = 0};
  const auto begun = Look();
  ASSERT_EQ(begun.size(), 1u);
  EXPECT_EQ(begun[0].what, What::kLowering);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Look(), IsEmpty());
  counts_.lowered = false;
  for (int i = 0; i < 4; ++i) EXPECT_THAT(Look(), IsEmpty());
  const auto ended = Look();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].what, What::kLowered);
  EXPECT_EQ(ended[0].lasted, absl::Seconds(3));
  EXPECT_EQ(ended[0].times, 1u);
  for (int i = 0; i < 9; ++i) EXPECT_THAT(Look(), IsEmpty());
}

TEST_F(OverloadWatchTest, OneThatWaversIsToldOfOnce) {
  int lines = 0;
  for (int i = 0; i < 100; ++i) {
    // It came and went between two looks.
    if (i % 3 == 0) ++counts_.lowerings;
    lines += static_cast<int>(Look().size());
  }
  EXPECT_EQ(lines, 1);
  for (int i = 0; i < 10; ++i) {
    for (const OverloadNews& news : Look()) {
      EXPECT_EQ(news.what, What::kLowered);
      EXPECT_EQ(news.times, 34u);
      ++lines;
    }
  }
  EXPECT_EQ(lines, 2);
}

TEST_F(OverloadWatchTest, CountsWhatWasRefused) {
  counts_.refused = 7;
  ASSERT_EQ(Look().size(), 1u);
  counts_.refused = 9;
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Look(), IsEmpty());
  const auto ended = Look();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].what, What::kRefused);
  EXPECT_EQ(ended[0].times, 9u);
  counts_.refused = 10;
  EXPECT_EQ(Look()[0].what, What::kRefusing);
}

}  // namespace
}  // namespace mre
