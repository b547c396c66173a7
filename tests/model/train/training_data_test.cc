#include "model/train/training_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/model/data/tiny_data.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

class TrainingDataTest : public ::testing::Test {
 protected:
  TrainingDataTest() {
    WriteIdxDataset(dir_.path(), train_, test_, 8);
    options_.dataset = "mnist";
    options_.data_dir = dir_.path();
  }

  // Labels [begin, end) of a split.
  static std::vector<uint8_t> Labels(const Split& split, int64_t begin,
                                     int64_t end) {
    return {split.labels.begin() + begin, split.labels.begin() + end};
  }

  const TempDir dir_;
  const Split train_ = TinySplit(60, 1);
  const Split test_ = TinySplit(10, 2);
  FitOptions options_;
};

TEST_F(TrainingDataTest, EvaluatesOnTheTestImagesUnlessToldOtherwise) {
  const auto data = LoadTrainingData(options_);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_STREQ(data->name, "test");
  EXPECT_EQ(data->evaluated.labels, test_.labels);
  EXPECT_EQ(data->data.train.images, train_.images);
  EXPECT_EQ(data->offered, 60);
}

// The images held back are the last of all, not of those that are left.
TEST_F(TrainingDataTest, HoldsBackTheLastThenKeepsTheFirst) {
  options_.validation = 20;
  options_.limit_train = 30;
  const auto data = LoadTrainingData(options_);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_STREQ(data->name, "validation");
  EXPECT_EQ(data->evaluated.labels, Labels(train_, 40, 60));
  EXPECT_EQ(data->evaluated.images.size(), 20 * 64);
  EXPECT_EQ(data->data.train.labels, Labels(train_, 0, 30));
  EXPECT_EQ(data->data.train.images.size(), 30 * 64);
  EXPECT_EQ(data->offered, 40);
}

TEST_F(TrainingDataTest, SomethingHasToBeLeftToLearn) {
  options_.validation = 60;
  EXPECT_THAT(std::string(LoadTrainingData(options_).status().message()),
              HasSubstr("--validation"));
  options_.validation = 59;
  options_.limit_train = 100;
  const auto data = LoadTrainingData(options_);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->data.train.size(), 1);
}

}  // namespace
}  // namespace mre
