#include "model/data/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "model/data/batches.h"
#include "model/math/parallel.h"
#include "tests/model/data/tiny_data.h"

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
      {.batch = 1, .augment = {.flip = true, .shift = 1}, .seed = 0});
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

TEST(BatchesTest, CropsTakeEveryOffsetAndShowZerosOutside) {
  SetThreads(1);  // thousands of batches too small to share
  // Every pixel of the one image differs, and none is 0; two channels.
  constexpr int kSide = 6;
  Split split;
  split.labels = {0};
  for (int i = 0; i < kSide * kSide; ++i) {
    split.images.push_back(static_cast<uint8_t>(1 + i));
    split.images.push_back(static_cast<uint8_t>(101 + i));
  }
  // A byte of 0 is another number in each channel.
  const InputConfig input{{kSide, kSide, 2}, 1, {2, 3}, {1, 1}};
  const auto byte = [&](int y, int x, int c) {
    const bool inside = y >= 0 && y < kSide && x >= 0 && x < kSide;
    return inside ? split.images[(y * kSide + x) * 2 + c] : 0;
  };
  Batches batches(
      split, input,
      {.batch = 1, .augment = *ParseAugmentation("crop+flip"), .seed = 0});
  Batches again(
      split, input,
      {.batch = 1, .augment = *ParseAugmentation("flip+crop"), .seed = 0});
  std::map<std::tuple<bool, int, int>, int> seen;
  constexpr int kEpochs = 4000;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    batches.Load(epoch, 0);
    // The one way in which the batch shows the image.
    const auto shows = [&](bool flip, int down, int right) {
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          const int from = flip ? kSide - 1 - (x - right) : x - right;
          for (int c = 0; c < 2; ++c) {
            const float wanted =
                static_cast<float>(byte(y - down, from, c) - (2 + c));
            if (batches.x()[(y * kSide + x) * 2 + c] != wanted) return false;
          }
        }
      }
      return true;
    };
    int ways = 0;
    for (const bool flip : {false, true}) {
      for (int down = -4; down <= 4; ++down) {
        for (int right = -4; right <= 4; ++right) {
          if (!shows(flip, down, right)) continue;
          ++ways;
          ++seen[{flip, down, right}];
        }
      }
    }
    ASSERT_EQ(ways, 1) << "epoch " << epoch;
    // A pure function of seed, epoch and image.
    again.Load(kEpochs - epoch, 0);
    again.Load(epoch, 0);
    ASSERT_TRUE(
        std::equal(batches.x(), batches.x() + 2 * kSide * kSide, again.x()));
  }
  EXPECT_EQ(seen.size(), 2u * 9 * 9);
  for (const auto& [way, count] : seen) {
    EXPECT_LT(count, 4 * kEpochs / (2 * 9 * 9));
  }
}

// Smaller than the border, so that nothing of it may be left.
TEST(BatchesTest, CropsOfTinyImagesMayBeEmpty) {
  Split split;
  split.labels = {0};
  split.images = {7, 8};
  Batches batches(split, {{1, 2, 1}, 1, {0}, {1}},
                  {.batch = 1, .augment = *ParseAugmentation("flip+crop")});
  std::set<std::pair<float, float>> seen;
  for (int epoch = 0; epoch < 4000; ++epoch) {
    batches.Load(epoch, 0);
    seen.insert({batches.x()[0], batches.x()[1]});
  }
  EXPECT_EQ(seen, (std::set<std::pair<float, float>>{
                      {0, 0}, {7, 8}, {8, 7}, {0, 7}, {0, 8}, {7, 0}, {8, 0}}));
}

TEST(ParseAugmentationTest, TakesNamesInAnyOrder) {
  EXPECT_FALSE(ParseAugmentation("none")->any());
  EXPECT_TRUE(ParseAugmentation("flip")->flip);
  EXPECT_EQ(ParseAugmentation("flip")->shift, 0);
  EXPECT_EQ(ParseAugmentation("shift")->shift, 1);
  EXPECT_EQ(ParseAugmentation("crop")->shift, 4);
  for (const char* name : {"flip+crop", "crop+flip"}) {
    EXPECT_TRUE(ParseAugmentation(name)->flip);
    EXPECT_EQ(ParseAugmentation(name)->shift, 4);
  }
  for (const char* name : {"", "+", "flip+", "flip+flip", "shift+crop",
                           "crop+flip+shift", "none+flip", "Flip"}) {
    EXPECT_EQ(ParseAugmentation(name).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
}

}  // namespace
}  // namespace mre
