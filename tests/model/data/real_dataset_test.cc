// The real files, where they are on the machine: in $MRE_TEST_DATA or else in
// shared/data beside the source tree, one folder a data set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/data/load_dataset.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Folder(const std::string& name) {
  const char* root = std::getenv("MRE_TEST_DATA");
  return absl::StrCat(root != nullptr ? root : MRE_TEST_DATA, "/", name);
}

// How many images each class has.
std::vector<int> Counts(const Split& split) {
  std::vector<int> counts(10);
  for (const uint8_t label : split.labels) ++counts[label];
  return counts;
}

TEST(RealDatasetTest, Mnist) {
  const std::string dir = Folder("mnist");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << "no " << dir;
  ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("mnist", dir));
  EXPECT_THAT(data.shape, ElementsAre(28, 28, 1));
  EXPECT_THAT(Counts(data.train), ElementsAre(5923, 6742, 5958, 6131, 5842,
                                              5421, 5918, 6265, 5851, 5949));
  EXPECT_THAT(Counts(data.test), ElementsAre(980, 1135, 1032, 1010, 982, 892,
                                             958, 1028, 974, 1009));
}

TEST(RealDatasetTest, Usps) {
  const std::string dir = Folder("usps");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << "no " << dir;
  ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("usps", dir));
  EXPECT_THAT(data.shape, ElementsAre(16, 16, 1));
  EXPECT_THAT(Counts(data.train),
              ElementsAre(1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644));
  EXPECT_THAT(Counts(data.test),
              ElementsAre(359, 264, 198, 166, 200, 160, 170, 147, 166, 177));
  // The training file begins 6.0000 and, after seven times -1.0000, -0.6310
  // 0.8620 -0.1670.
  EXPECT_EQ(data.train.labels[0], 6);
  EXPECT_EQ(data.train.images[6], 0);
  EXPECT_EQ(data.train.images[7], 47);
  EXPECT_EQ(data.train.images[8], 237);
  EXPECT_EQ(data.train.images[9], 106);
}

TEST(RealDatasetTest, Tinyshakespeare) {
  const std::string dir = Folder("tinyshakespeare");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << "no " << dir;
  ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("text", dir, 32));
  EXPECT_THAT(data.shape, ElementsAre(1, 32, 1));
  EXPECT_EQ(data.classes.size(), 65u);
  EXPECT_EQ(data.train.size() + data.test.size(), 1115394 - 32);
  EXPECT_EQ(data.test.size(), (1115394 - 32) / 10);
  EXPECT_EQ(
      std::string(data.train.images.begin(), data.train.images.begin() + 32),
      "First Citizen:\nBefore we proceed");
  EXPECT_EQ(data.classes[data.train.labels[0]], "space");
}

TEST(RealDatasetTest, Cifar10) {
  std::string dir = Folder("cifar10");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << "no " << dir;
  const TempDir unpacked;
  if (!std::filesystem::exists(dir + "/cifar-10-batches-bin")) {
    const std::string archive = dir + "/cifar-10-binary.tar.xz";
    EXPECT_THAT(
        LoadDataset("cifar10", dir),
        StatusIs(absl::StatusCode::kNotFound, HasSubstr("tar xJf " + archive)));
    const std::string command =
        absl::StrCat("tar xJf '", archive, "' -C '", unpacked.path(), "'");
    if (std::system(command.c_str()) != 0) {
      GTEST_SKIP() << "cannot unpack: " << command;
    }
    dir = unpacked.path();
  }
  ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("cifar10", dir));
  EXPECT_THAT(data.shape, ElementsAre(32, 32, 3));
  EXPECT_THAT(data.classes,
              ElementsAre("airplane", "automobile", "bird", "cat", "deer",
                          "dog", "frog", "horse", "ship", "truck"));
  EXPECT_EQ(data.train.size(), 50000);
  EXPECT_THAT(Counts(data.train), Each(5000));
  EXPECT_EQ(data.test.size(), 10000);
  EXPECT_THAT(Counts(data.test), Each(1000));
  // The published statistics of the training images.
  const InputConfig input = InputStatistics(data);
  const double mean[] = {0.4914, 0.4822, 0.4465};
  const double std[] = {0.2470, 0.2435, 0.2616};
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(input.mean[c], mean[c], 1e-4) << c;
    EXPECT_NEAR(input.std[c], std[c], 1e-4) << c;
  }
}

}  // namespace
}  // namespace mre
