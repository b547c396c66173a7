#include "model/train/schedule.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

// torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1, total_steps=10):
// its warm-up ends at step 0.3 * 10 - 1 = 2, its way down at step 9.
TEST(LearningRateTest, OneCycleHasPyTorchsShape) {
  const auto rate = [](int64_t step) {
    return LearningRate(Schedule::kOneCycle, 1, step, 10);
  };
  EXPECT_NEAR(rate(0), 0.04, 1e-12);
  EXPECT_NEAR(rate(1), 0.52, 1e-12);
  EXPECT_NEAR(rate(2), 1.0, 1e-12);
  EXPECT_NEAR(rate(3), 0.9504846320134737, 1e-6);
  EXPECT_NEAR(rate(5), 0.6112620219362893, 1e-6);
  EXPECT_NEAR(rate(9), 4e-6, 1e-12);
}

TEST(LearningRateTest, ShortRunsHaveFiniteRates) {
  for (const Schedule schedule :
       {Schedule::kOneCycle, Schedule::kCosine, Schedule::kConstant}) {
    for (int64_t total = 1; total < 8; ++total) {
      for (int64_t step = 0; step < total; ++step) {
        const double rate = LearningRate(schedule, 2, step, total);
        EXPECT_GE(rate, 0);
        EXPECT_LE(rate, 2 + 1e-12);
      }
    }
  }
}

TEST(LearningRateTest, CosineWarmsUpThenFalls) {
  const auto rate = [](int64_t step) {
    return LearningRate(Schedule::kCosine, 1, step, 100);
  };
  EXPECT_NEAR(rate(0), 1.0 / 6, 1e-12);
  EXPECT_NEAR(rate(4), 5.0 / 6, 1e-12);
  EXPECT_NEAR(rate(5), 1, 1e-12);
  for (int64_t step = 6; step < 100; ++step) {
    EXPECT_LT(rate(step), rate(step - 1));
  }
  EXPECT_LT(rate(99), 0.001);
}

TEST(LearningRateTest, ConstantIsThePeak) {
  EXPECT_EQ(LearningRate(Schedule::kConstant, 0.5, 7, 10), 0.5);
}

TEST(ParseScheduleTest, KnowsItsNames) {
  EXPECT_EQ(*ParseSchedule("one-cycle"), Schedule::kOneCycle);
  EXPECT_EQ(*ParseSchedule("cosine"), Schedule::kCosine);
  EXPECT_EQ(*ParseSchedule("constant"), Schedule::kConstant);
  EXPECT_FALSE(ParseSchedule("linear").ok());
}

}  // namespace
}  // namespace mre
