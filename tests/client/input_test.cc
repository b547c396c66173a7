#include "client/cli/input.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/console/shape.h"
#include "tests/client/temp_file.h"

namespace mre {
namespace {

using ::testing::Test;

const char kImages[] =
    "\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x02"
    "abcdefghijkl";
const char kLabels[] = "\0\0\x08\x01\0\0\0\x03\x05\x06\xff";

std::string Bytes(const char* literal, size_t size) {
  return std::string(literal, size - 1);
}

class InputTest : public Test {
 protected:
  const TempFile images_{Bytes(kImages, sizeof(kImages))};
  const TempFile labels_{Bytes(kLabels, sizeof(kLabels))};
};

TEST_F(InputTest, TakesARunOfIdxImages) {
  InputFlags flags;
  flags.idx = images_.path();
  flags.labels = labels_.path();
  flags.index = "1";
  flags.count = 2;
  const auto input = Input::Read(flags);
  ASSERT_TRUE(input.ok()) << input.status();
  ASSERT_EQ(input->size(), 2u);
  const auto sample = input->At(1, {2, 2, 1});
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_EQ(sample->name, "image 2");
  EXPECT_EQ(sample->truth, 255u);
  EXPECT_EQ(sample->tensor.datatype(), v1::DATA_TYPE_UINT8);
  EXPECT_EQ(sample->tensor.data(), "ijkl");
  ASSERT_EQ(sample->tensor.shape_size(), 3);
  EXPECT_EQ(sample->tensor.shape(0), 2);
  EXPECT_EQ(sample->tensor.shape(2), 1);
  ASSERT_TRUE(sample->image.has_value());
  EXPECT_EQ(sample->image->At(1, 1, 0), 'l');
}

TEST_F(InputTest, WantsExactlyOneKindOfFile) {
  InputFlags flags;
  EXPECT_EQ(Input::Read(flags).status().code(),
            absl::StatusCode::kInvalidArgument);
  flags.idx = images_.path();
  flags.raw = images_.path();
  EXPECT_EQ(Input::Read(flags).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(InputTest, RefusesImagesOutsideTheFile) {
  InputFlags flags;
  flags.idx = images_.path();
  struct {
    const char* index;
    uint64_t count;
  } outside[] = {{"3", 1}, {"0", 4},   {"2", 2},
                 {"0", 0}, {"0,3", 1}, {"1", ~uint64_t{0}}};
  for (const auto& [index, count] : outside) {
    flags.index = index;
    flags.count = count;
    const auto input = Input::Read(flags);
    ASSERT_FALSE(input.ok()) << index << " " << count;
    EXPECT_NE(input.status().message().find("holds 3 images"),
              absl::string_view::npos)
        << input.status();
  }
}

TEST_F(InputTest, TakesAListOfImages) {
  InputFlags flags;
  flags.idx = images_.path();
  flags.index = "2,0,2";
  const auto input = Input::Read(flags);
  ASSERT_TRUE(input.ok()) << input.status();
  ASSERT_EQ(input->size(), 3u);
  EXPECT_EQ(input->At(0, {2, 2})->tensor.data(), "ijkl");
  EXPECT_EQ(input->At(1, {2, 2})->tensor.data(), "abcd");
  EXPECT_EQ(input->At(2, {2, 2})->name, "image 2");
  flags.count = 2;
  EXPECT_EQ(Input::Read(flags).status().message(),
            "--count goes with one --index, not with a list of them");
}

TEST_F(InputTest, RefusesWhatIsNoNumberOfAnImage) {
  InputFlags flags;
  flags.idx = images_.path();
  for (const char* index : {"-1", "", "x", "1,", "1 2", "1.5", "1-2"}) {
    flags.index = index;
    const auto input = Input::Read(flags);
    ASSERT_FALSE(input.ok()) << index;
    EXPECT_EQ(input.status().message().find("--index is \""), 0u)
        << input.status();
  }
}

TEST_F(InputTest, TellsLabelsFromImages) {
  InputFlags flags;
  flags.idx = labels_.path();
  EXPECT_EQ(Input::Read(flags).status().message(),
            labels_.path() + " holds labels, not images");
}

TEST_F(InputTest, SaysBothShapesWhenTheyDiffer) {
  InputFlags flags;
  flags.idx = images_.path();
  const auto input = Input::Read(flags);
  ASSERT_TRUE(input.ok()) << input.status();
  const auto sample = input->At(0, {28, 28, 1});
  EXPECT_EQ(sample.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(sample.status().message().find(
                "its images are 2x2, the model takes 28x28x1"),
            absl::string_view::npos)
      << sample.status();
}

TEST_F(InputTest, RefusesLabelsOfAnotherFile) {
  InputFlags flags;
  flags.idx = images_.path();
  flags.labels = images_.path();
  EXPECT_EQ(Input::Read(flags).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(InputTest, NamesTheFileThatCannotBeRead) {
  InputFlags flags;
  flags.idx = "/nowhere/images";
  const auto missing = Input::Read(flags);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  const TempFile text("not an IDX file");
  flags.idx = text.path();
  const auto wrong = Input::Read(flags);
  EXPECT_NE(wrong.status().message().find(text.path()),
            absl::string_view::npos);
}

TEST_F(InputTest, TakesRawBytesOfTheModelsShape) {
  const TempFile file("abcdef");
  InputFlags flags;
  flags.raw = file.path();
  const auto input = Input::Read(flags);
  ASSERT_TRUE(input.ok()) << input.status();
  const auto vector = input->At(0, {6});
  ASSERT_TRUE(vector.ok()) << vector.status();
  EXPECT_EQ(vector->tensor.data(), "abcdef");
  EXPECT_FALSE(vector->image.has_value());
  EXPECT_FALSE(vector->truth.has_value());
  const auto image = input->At(0, {1, 2, 3});
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_TRUE(image->image.has_value());
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
           {5}, {7}, {}, {6, 0}, {-6}, {int64_t{1} << 62, 4}}) {
    EXPECT_FALSE(input->At(0, shape).ok()) << ShapeText(shape);
  }
}

TEST_F(InputTest, TakesTheLastCharactersOfAText) {
  InputFlags flags;
  flags.text = "to be";
  const auto input = Input::Read(flags);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->size(), 1u);
  const auto cut = input->At(0, {1, 3, 1});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->name, "text");
  EXPECT_EQ(cut->tensor.data(), " be");
  EXPECT_EQ(cut->tensor.shape_size(), 3);
  EXPECT_FALSE(cut->image.has_value());
  EXPECT_EQ(input->At(0, {1, 5, 1})->tensor.data(), "to be");
  EXPECT_EQ(input->At(0, {1, 8, 1})->tensor.data(), "   to be");
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
           {5}, {28, 28, 1}, {1, 5, 3}, {1, 0, 1}, {1, -5, 1}, {}}) {
    const auto refused = input->At(0, shape);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(refused.status().message().find("--text is for a model"), 0u);
  }
  flags.raw = "a file";
  EXPECT_FALSE(Input::Read(flags).ok());
}

TEST_F(InputTest, DecodesPngFiles) {
  const TempFile file(MakePng(1, 2, PNG_FORMAT_GRAY, "xy"));
  InputFlags flags;
  flags.image = file.path();
  const auto input = Input::Read(flags);
  ASSERT_TRUE(input.ok()) << input.status();
  const auto sample = input->At(0, {1, 2, 1});
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_EQ(sample->tensor.data(), "xy");
  EXPECT_FALSE(input->At(0, {2, 2, 1}).ok());
}

}  // namespace
}  // namespace mre
