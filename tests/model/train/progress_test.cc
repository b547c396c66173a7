#include "model/train/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_clock.h"

namespace mre {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(FormatSecondsTest, ReadsLikeAClock) {
  EXPECT_EQ(FormatSeconds(0), "0:00");
  EXPECT_EQ(FormatSeconds(65.4), "1:05");
  EXPECT_EQ(FormatSeconds(3599.6), "1:00:00");
  EXPECT_EQ(FormatSeconds(7390), "2:03:10");
}

class ProgressBarTest : public ::testing::Test {
 protected:
  ~ProgressBarTest() override { std::fclose(file_); }

  // What was written since the last call.
  std::string Written() {
    std::string text(std::ftell(file_) - read_, '\0');
    std::fseek(file_, read_, SEEK_SET);
    text.resize(std::fread(text.data(), 1, text.size(), file_));
    std::fseek(file_, 0, SEEK_END);
    read_ = std::ftell(file_);
    return text;
  }

  FakeClock clock_;
  std::FILE* const file_ = std::tmpfile();
  long read_ = 0;
};

TEST_F(ProgressBarTest, JudgesTheTimeLeftByWhatIsDoneFromHereOn) {
  ProgressBar bar({.file = file_, .clock = &clock_});
  bar.Start(40, 100);
  EXPECT_EQ(bar.TimeLeft(40), "?");
  clock_.Advance(absl::Seconds(30));
  EXPECT_EQ(bar.TimeLeft(60), "1:00");  // 20 in 30 s, 40 are left
}

TEST_F(ProgressBarTest, RedrawsOneLineTenTimesASecond) {
  {
    ProgressBar bar({.file = file_, .bar = true, .clock = &clock_});
    bar.Start(0, 4);
    clock_.Advance(absl::Seconds(1));
    bar.Update(1, "loss 2");
    EXPECT_EQ(Written(),
              "\r[======                  ] 25% left 0:03  loss 2\x1b[K");
    clock_.Advance(absl::Milliseconds(99));
    bar.Update(2, "loss 1");
    EXPECT_EQ(Written(), "");
    clock_.Advance(absl::Milliseconds(1));
    bar.Update(2, "loss 1");
    EXPECT_THAT(Written(), StartsWith("\r[============            ] 50%"));
    // A line takes the bar's place.
    bar.Line("epoch 1");
    EXPECT_EQ(Written(), "\r\x1b[Kepoch 1\n");
    clock_.Advance(absl::Seconds(1));
    bar.Update(4, "");
    EXPECT_THAT(Written(), HasSubstr("100% left 0:00"));
  }
  EXPECT_EQ(Written(), "\r\x1b[K");
}

TEST_F(ProgressBarTest, WithoutATerminalThereAreLinesOnly) {
  ProgressBar bar({.file = file_, .clock = &clock_});
  bar.Start(0, 4);
  clock_.Advance(absl::Seconds(1));
  bar.Update(1, "loss 2");
  bar.Line("epoch 1");
  EXPECT_EQ(Written(), "epoch 1\n");
}

}  // namespace
}  // namespace mre
