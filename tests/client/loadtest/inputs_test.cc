#include "client/loadtest/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

// A data set of two 1x2 images with the labels 7 and 4.
class InputsTest : public testing::Test {
 protected:
  InputsTest() {
    std::filesystem::create_directories(dir_);
    Write("t10k-images-idx3-ubyte",
          std::string("\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\2abcd", 20));
    Write("t10k-labels-idx1-ubyte",
          std::string("\0\0\x08\x01\0\0\0\2\7\4", 10));
  }
  ~InputsTest() override { std::filesystem::remove_all(dir_); }

  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << bytes;
  }

  const std::string dir_ =
      testing::TempDir() + "/mre_inputs_" + std::to_string(getpid());
};

TEST_F(InputsTest, TakesTurnsThroughTheImagesAndTheirLabels) {
  const auto inputs = Inputs::Read(dir_, {1, 2, 1});
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_EQ(inputs->size(), 2u);
  EXPECT_EQ(inputs->TensorOf(0).data(), "ab");
  EXPECT_EQ(inputs->TensorOf(1).data(), "cd");
  EXPECT_EQ(inputs->TensorOf(2).data(), "ab");
  EXPECT_EQ(inputs->TensorOf(0).shape_size(), 3);
  EXPECT_EQ(inputs->LabelOf(0), 7u);
  EXPECT_EQ(inputs->LabelOf(3), 4u);
}

TEST_F(InputsTest, SaysBothShapesWhenTheyDiffer) {
  const absl::Status status = Inputs::Read(dir_, {28, 28, 1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1x2"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("28x28x1"));
}

TEST_F(InputsTest, NamesTheFileThatIsMissingOrDamaged) {
  Write("t10k-labels-idx1-ubyte", "junk");
  EXPECT_THAT(std::string(Inputs::Read(dir_, {1, 2, 1}).status().message()),
              HasSubstr("t10k-labels-idx1-ubyte"));
  std::filesystem::remove(dir_ + "/t10k-images-idx3-ubyte");
  const absl::Status status = Inputs::Read(dir_, {1, 2, 1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--dataset_dir"));
}

TEST_F(InputsTest, RefusesAnotherNumberOfLabels) {
  Write("t10k-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\1\7", 9));
  EXPECT_THAT(std::string(Inputs::Read(dir_, {1, 2, 1}).status().message()),
              HasSubstr("2 images and 1 labels"));
}

TEST_F(InputsTest, RandomInputsHaveTheModelsShapeAndNoLabels) {
  const auto inputs = Inputs::Random({3, 5, 2}, 1);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_EQ(inputs->TensorOf(0).data().size(), 30u);
  EXPECT_NE(inputs->TensorOf(0).data(), inputs->TensorOf(1).data());
  EXPECT_EQ(inputs->TensorOf(5).data(),
            Inputs::Random({3, 5, 2}, 1)->TensorOf(5).data());
  EXPECT_EQ(inputs->LabelOf(0), std::nullopt);
  EXPECT_FALSE(Inputs::Random({1 << 20, 1 << 20}, 1).ok());
  EXPECT_FALSE(Inputs::Random({0}, 1).ok());
}

}  // namespace
}  // namespace mre
