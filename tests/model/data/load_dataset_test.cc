#include "model/data/load_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/model/data/tiny_data.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class IdxDatasetTest : public ::testing::Test {
 protected:
  IdxDatasetTest() {
    WriteIdxDataset(dir_, TinySplit(20, 1), TinySplit(5, 2), 8);
  }

  std::string Error() const {
    return std::string(LoadDataset("mnist", dir_).status().message());
  }

  TempDir temp_;
  const std::string dir_ = temp_.path();
};

TEST_F(IdxDatasetTest, LoadsPackedAndPlainFiles) {
  const auto data = LoadDataset("mnist", dir_);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->shape, (std::vector<int64_t>{8, 8, 1}));
  EXPECT_EQ(data->classes.size(), 10);
  EXPECT_EQ(data->train.labels, TinySplit(20, 1).labels);
  EXPECT_EQ(data->test.images, TinySplit(5, 2).images);
}

TEST_F(IdxDatasetTest, NamesTheMissingFile) {
  std::filesystem::remove(dir_ + "/t10k-labels-idx1-ubyte");
  EXPECT_EQ(LoadDataset("mnist", dir_).status().code(),
            absl::StatusCode::kNotFound);
  const std::string error = Error();
  const size_t at = error.find(dir_ + "/t10k-labels-idx1-ubyte");
  EXPECT_NE(at, std::string::npos) << error;
  EXPECT_EQ(error.find(dir_, at + 1), std::string::npos) << error;  // Once.
}

TEST_F(IdxDatasetTest, NamesTheDamagedFile) {
  WriteBytes(dir_ + "/train-images-idx3-ubyte.gz", "\x1f\x8b damaged");
  EXPECT_THAT(Error(), HasSubstr("train-images-idx3-ubyte.gz: gzip: "));
}

TEST_F(IdxDatasetTest, RefusesLabelsThatDoNotFit) {
  WriteBytes(dir_ + "/t10k-labels-idx1-ubyte", IdxLabelBytes(TinySplit(4, 2)));
  EXPECT_THAT(Error(), HasSubstr("expected 5 labels, one an image, got 4"));
  Split split = TinySplit(5, 2);
  split.labels[3] = 10;
  WriteBytes(dir_ + "/t10k-labels-idx1-ubyte", IdxLabelBytes(split));
  EXPECT_THAT(Error(), HasSubstr("expected labels below 10, got 10"));
}

TEST_F(IdxDatasetTest, RefusesSplitsOfDifferentSizes) {
  WriteBytes(dir_ + "/t10k-images-idx3-ubyte",
             IdxImageBytes(TinySplit(5, 2, 6), 6));
  EXPECT_THAT(Error(), HasSubstr("got 8x8x1 and 6x6x1"));
}

class Cifar10DatasetTest : public ::testing::Test {
 protected:
  Cifar10DatasetTest() { WriteCifar10Dataset(dir_, 4); }

  TempDir temp_;
  const std::string dir_ = temp_.path();
};

TEST_F(Cifar10DatasetTest, JoinsTheTrainingFilesInOrder) {
  ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("cifar10", dir_));
  EXPECT_EQ(data.name, "cifar10");
  EXPECT_THAT(data.shape, ElementsAre(32, 32, 3));
  EXPECT_THAT(data.classes,
              ElementsAre("airplane", "automobile", "bird", "cat", "deer",
                          "dog", "frog", "horse", "ship", "truck"));
  Split expected;
  for (int i = 1; i <= 5; ++i) {
    const Split part = TinyColours(4, i);
    expected.images.insert(expected.images.end(), part.images.begin(),
                           part.images.end());
    expected.labels.insert(expected.labels.end(), part.labels.begin(),
                           part.labels.end());
  }
  EXPECT_EQ(data.train.images, expected.images);
  EXPECT_EQ(data.train.labels, expected.labels);
  EXPECT_EQ(data.test.images, TinyColours(4, 6).images);
  EXPECT_EQ(data.test.labels, TinyColours(4, 6).labels);
}

TEST_F(Cifar10DatasetTest, LooksInTheArchivesFolderFirst) {
  const TempDir above;
  WriteCifar10Dataset(above.File("cifar-10-batches-bin"), 2);
  ASSERT_OK_AND_ASSIGN(const Dataset data,
                       LoadDataset("cifar10", above.path()));
  EXPECT_EQ(data.train.size(), 10);
}

TEST_F(Cifar10DatasetTest, TakesTheNamesFromTheFile) {
  WriteBytes(dir_ + "/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("cifar10", dir_));
  EXPECT_THAT(data.classes,
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
  WriteBytes(dir_ + "/batches.meta.txt", "a\nb\n");
  EXPECT_THAT(LoadDataset("cifar10", dir_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("batches.meta.txt: expected 10 names")));
}

TEST_F(Cifar10DatasetTest, NamesTheMissingAndTheDamagedFile) {
  WriteBytes(dir_ + "/data_batch_3.bin", std::string(3072, '\0'));
  EXPECT_THAT(
      LoadDataset("cifar10", dir_),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr(dir_ + "/data_batch_3.bin: CIFAR-10: expected")));
  std::filesystem::remove(dir_ + "/data_batch_3.bin");
  EXPECT_THAT(LoadDataset("cifar10", dir_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(dir_ + "/data_batch_3.bin"),
                             HasSubstr("CIFAR-10's binary version"),
                             Not(HasSubstr("unpack")))));
}

TEST_F(Cifar10DatasetTest, SaysHowToUnpackTheArchive) {
  const TempDir archive;
  for (const auto& [suffix, flags] :
       {std::pair{"gz", "xzf"}, std::pair{"xz", "xJf"}}) {
    const std::string path =
        archive.File(absl::StrCat("cifar-10-binary.tar.", suffix));
    WriteBytes(path, "");
    EXPECT_THAT(LoadDataset("cifar10", archive.path()),
                StatusIs(absl::StatusCode::kNotFound,
                         HasSubstr(absl::StrCat("tar ", flags, " ", path,
                                                " -C ", archive.path()))));
  }
}

// One of the three channels is constant, one has two values.
TEST_F(Cifar10DatasetTest, StatisticsAreThoseOfEachChannel) {
  ASSERT_OK_AND_ASSIGN(Dataset data, LoadDataset("cifar10", dir_));
  for (size_t i = 0; i < data.train.images.size(); i += 3) {
    data.train.images[i] = 51;
    data.train.images[i + 1] = i % 2 == 0 ? 0 : 255;
  }
  const InputConfig input = InputStatistics(data);
  EXPECT_THAT(input.mean, SizeIs(3));
  EXPECT_THAT(input.std, SizeIs(3));
  EXPECT_NEAR(input.mean[0], 0.2, 1e-9);
  EXPECT_EQ(input.std[0], 1);
  EXPECT_NEAR(input.mean[1], 0.5, 1e-9);
  EXPECT_NEAR(input.std[1], 0.5, 1e-9);
  EXPECT_NEAR(input.mean[2], 0.5, 0.02);  // Random bytes.
  EXPECT_NEAR(input.std[2], std::sqrt(1.0 / 12), 0.02);
}

// `count` records of the digit, all of one grey.
std::string UspsText(int count, const std::string& digit,
                     const std::string& grey) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&text, digit);
    for (int at = 0; at < 256; ++at) absl::StrAppend(&text, " ", grey);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

class UspsDatasetTest : public ::testing::Test {
 protected:
  UspsDatasetTest() {
    WriteBytes(dir_ + "/zip.train.gz", Gzip(UspsText(3, "6.0000", "-1.0000")));
    WriteBytes(dir_ + "/zip.test", UspsText(2, "9", "1"));
  }

  TempDir temp_;
  const std::string dir_ = temp_.path();
};

TEST_F(UspsDatasetTest, LoadsPackedAndPlainFiles) {
  ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("usps", dir_));
  EXPECT_EQ(data.name, "usps");
  EXPECT_THAT(data.shape, ElementsAre(16, 16, 1));
  EXPECT_THAT(data.classes,
              ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  EXPECT_THAT(data.train.labels, ElementsAre(6, 6, 6));
  EXPECT_THAT(data.train.images, AllOf(SizeIs(3 * 256), Each(0)));
  EXPECT_THAT(data.test.labels, ElementsAre(9, 9));
  EXPECT_THAT(data.test.images, AllOf(SizeIs(2 * 256), Each(255)));
}

TEST_F(UspsDatasetTest, NamesTheMissingAndTheDamagedFile) {
  WriteBytes(dir_ + "/zip.test", UspsText(1, "3", "0") + "3 0 0\n");
  EXPECT_THAT(LoadDataset("usps", dir_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr(dir_ + "/zip.test: USPS: line 2: expected")));
  std::filesystem::remove(dir_ + "/zip.test");
  EXPECT_THAT(LoadDataset("usps", dir_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(dir_ + "/zip.test"),
                             HasSubstr("Elements of Statistical Learning"))));
  WriteBytes(dir_ + "/zip.train.gz", "\x1f\x8b damaged");
  EXPECT_THAT(LoadDataset("usps", dir_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("/zip.train.gz: gzip: ")));
}

class TextDatasetTest : public ::testing::Test {
 protected:
  TextDatasetTest() { WriteBytes(temp_.File("input.txt"), kText); }

  static constexpr char kText[] = "to be, or not to be\n";
  TempDir temp_;
};

TEST_F(TextDatasetTest, LoadsADirectorysFileOrAnyFilePackedOrPlain) {
  const std::string packed = temp_.File("packed");
  WriteBytes(packed, Gzip(kText));
  for (const std::string& path :
       {temp_.path(), temp_.File("input.txt"), packed}) {
    SCOPED_TRACE(path);
    ASSERT_OK_AND_ASSIGN(const Dataset data, LoadDataset("text", path, 5));
    EXPECT_EQ(data.name, "text");
    EXPECT_TRUE(data.text);
    EXPECT_THAT(data.shape, ElementsAre(1, 5, 1));
    EXPECT_THAT(data.classes,
                ElementsAre("\\n", "space", ",", "b", "e", "n", "o", "r", "t"));
    EXPECT_EQ(data.train.size(), 14);
    EXPECT_EQ(data.test.size(), 1);
    EXPECT_THAT(std::vector<uint8_t>(data.train.images.begin(),
                                     data.train.images.begin() + 5),
                ElementsAre('t', 'o', ' ', 'b', 'e'));
    EXPECT_EQ(data.train.labels[0], 2);  // the comma
    EXPECT_EQ(data.test.labels[0], 0);   // the end of the line
    // The bytes reach the model as they are.
    const InputConfig input = InputStatistics(data);
    EXPECT_EQ(input.scale, 1);
    EXPECT_THAT(input.mean, ElementsAre(0));
    EXPECT_THAT(input.std, ElementsAre(1));
  }
}

TEST_F(TextDatasetTest, NamesTheMissingAndTheShortFile) {
  EXPECT_THAT(LoadDataset("text", temp_.path(), 19),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr(temp_.File("input.txt") +
                                 ": text: expected two bytes more than the "
                                 "window's 19")));
  WriteBytes(temp_.File("input.txt"), "");
  EXPECT_THAT(
      LoadDataset("text", temp_.path(), 5),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got 0 bytes")));
  std::filesystem::remove(temp_.File("input.txt"));
  EXPECT_THAT(LoadDataset("text", temp_.path(), 5),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(temp_.File("input.txt")),
                             HasSubstr("the path of any text"))));
}

TEST(LoadDatasetTest, UnknownNamesListTheKnownOnes) {
  EXPECT_THAT(LoadDataset("svhn", "/").status().message(),
              HasSubstr("expected one of fashion-mnist, mnist, cifar10, usps, "
                        "text, got \"svhn\""));
}

TEST(LoadDatasetTest, SaysThatADirectoryIsNeeded) {
  for (const char* name : {"mnist", "cifar10", "usps", "text"}) {
    EXPECT_THAT(LoadDataset(name, ""),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("--data_dir: expected the "
                                                "directory of ",
                                                name))));
  }
}

}  // namespace
}  // namespace mre
