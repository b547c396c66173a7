#include "model/train/dataset.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/math/parallel.h"
#include "model/train/batches.h"
#include "tests/model/train/tiny_data.h"

namespace mre {
namespace {

TEST(TakeValidationTest, TakesTheLastImages) {
  Dataset data = TinyDataset();
  const Split before = data.train;
  const auto validation = TakeValidation(30, data);
  ASSERT_TRUE(validation.ok());
  EXPECT_EQ(validation->size(), 30);
  EXPECT_EQ(data.train.size(), 170);
  EXPECT_EQ(validation->labels[0], before.labels[170]);
  EXPECT_EQ(validation->images[0], before.images[170 * 64]);
  EXPECT_FALSE(TakeValidation(170, data).ok());
}

TEST(InputStatisticsTest, AreThoseOfTheTrainingImages) {
  Dataset data = TinyDataset();
  data.shape = {4, 8, 2};
  const InputConfig input = InputStatistics(data);
  for (int c = 0; c < 2; ++c) {
    double sum = 0;
    double squares = 0;
    const double n = static_cast<double>(data.train.images.size()) / 2;
    for (size_t i = c; i < data.train.images.size(); i += 2) {
      const double x = data.train.images[i] / 255.0;
      sum += x;
      squares += x * x;
    }
    EXPECT_NEAR(input.mean[c], sum / n, 1e-9);
    EXPECT_NEAR(input.std[c], std::sqrt(squares / n - sum / n * sum / n), 1e-9);
  }
}

TEST(BatchesTest, AnEpochShowsEachImageOnceInSeededOrder) {
  const Dataset data = TinyDataset();
  const InputConfig input = InputStatistics(data);
  Batches batches(data.train, input, {.batch = 50, .augment = {}, .seed = 3});
  Batches again(data.train, input, {.batch = 50, .augment = {}, .seed = 3});
  ASSERT_EQ(batches.per_epoch(), 4);
  std::vector<int> seen(4);
  for (int i = 0; i < 4; ++i) {
    batches.Load(1, i);
    again.Load(0, 0);  // what was loaded before does not matter
    again.Load(1, i);
    EXPECT_EQ(batches.labels(), again.labels());
    for (const uint8_t label : batches.labels()) ++seen[label];
  }
  std::vector<int> expected(4);
  for (const uint8_t label : data.train.labels) ++expected[label];
  EXPECT_EQ(seen, expected);
}

TEST(BatchesTest, SplitsSmallerThanABatchAreOneBatch) {
  const Dataset data = TinyDataset();
  Batches batches(data.test, InputStatistics(data),
                  {.batch = 64, .augment = {}});
  EXPECT_EQ(batches.per_epoch(), 1);
  EXPECT_EQ(batches.rows(), 50);
}

TEST(BatchesTest, ShiftMovesByAtMostOnePixelAndFlipMirrors) {
  SetThreads(1);  // hundreds of batches too small to share
  // One image with one bright pixel at (3, 2).
  Split split;
  split.labels = {0};
  split.images.assign(64, 0);
  split.images[3 * 8 + 2] = 255;
  const InputConfig input{{8, 8, 1}, 1.0 / 255, {0}, {1}};
  Batches batches(
      split, input,
      {.batch = 1, .augment = {.flip = true, .shift = true}, .seed = 0});
  std::vector<int> seen(64);
  for (int epoch = 0; epoch < 500; ++epoch) {
    batches.Load(epoch, 0);
    for (int i = 0; i < 64; ++i) seen[i] += batches.x()[i] > 0.5f;
  }
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const bool near = std::abs(y - 3) <= 1 &&
                        (std::abs(x - 2) <= 1 || std::abs(x - 5) <= 1);
      EXPECT_EQ(seen[y * 8 + x] > 0, near) << y << "," << x;
    }
  }
}

}  // namespace
}  // namespace mre
