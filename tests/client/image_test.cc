#include "client/cli/image.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "client/console/shape.h"
#include "tests/client/temp_file.h"

namespace mre {
namespace {

TEST(ImageTest, KeepsGreyValues) {
  const std::string pixels("\x00\x40\x80\xc0\xfe\xff", 6);
  const auto image =
      DecodePng(MakePng(2, 3, PNG_FORMAT_GRAY, pixels), {2, 3, 1});
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->pixels, pixels);
  EXPECT_EQ(image->At(1, 2, 0), 255);
  EXPECT_EQ(image->At(0, 1, 0), 0x40);
}

TEST(ImageTest, KeepsRgbValues) {
  const std::string pixels("\x01\x02\x03\xf0\xf1\xf2", 6);
  const auto image =
      DecodePng(MakePng(1, 2, PNG_FORMAT_RGB, pixels), {1, 2, 3});
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->pixels, pixels);
  EXPECT_EQ(image->At(0, 1, 2), 0xf2);
}

TEST(ImageTest, ConvertsToTheModelsChannels) {
  const auto grey = DecodePng(
      MakePng(1, 2, PNG_FORMAT_RGB, std::string("\x50\x50\x50\xff\xff\xff", 6)),
      {1, 2});
  ASSERT_TRUE(grey.ok()) << grey.status();
  EXPECT_EQ(grey->pixels, "\x50\xff");
  const auto rgb = DecodePng(MakePng(1, 1, PNG_FORMAT_GRAY, "\x70"), {1, 1, 3});
  ASSERT_TRUE(rgb.ok()) << rgb.status();
  EXPECT_EQ(rgb->pixels, "\x70\x70\x70");
}

TEST(ImageTest, PutsTransparencyOverBlack) {
  const auto image =
      DecodePng(MakePng(1, 2, PNG_FORMAT_RGBA,
                        std::string("\xff\xff\xff\x00\xff\xff\xff\xff", 8)),
                {1, 2, 1});
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->pixels, std::string("\x00\xff", 2));
}

TEST(ImageTest, SaysBothSizesWhenTheyDiffer) {
  const auto image = DecodePng(
      MakePng(2, 3, PNG_FORMAT_GRAY, std::string(6, 'x')), {28, 28, 1});
  EXPECT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(image.status().message(),
            "the image is 2x3, the model takes 28x28 (height x width)");
}

TEST(ImageTest, RefusesEveryTruncation) {
  const std::string whole = MakePng(2, 2, PNG_FORMAT_GRAY, std::string(4, 'x'));
  // The last 12 bytes are the end mark, without which the image is whole.
  for (size_t size = 0; size + 12 < whole.size(); ++size) {
    EXPECT_FALSE(DecodePng(whole.substr(0, size), {2, 2, 1}).ok()) << size;
  }
}

TEST(ImageTest, TellsOtherFilesFromDamagedOnes) {
  EXPECT_EQ(DecodePng("# A text", {2, 2, 1}).status().message(),
            "not a PNG file");
  EXPECT_EQ(DecodePng("", {2, 2, 1}).status().message(), "not a PNG file");
  const std::string whole = MakePng(2, 2, PNG_FORMAT_GRAY, std::string(4, 'x'));
  const auto cut = DecodePng(whole.substr(0, 20), {2, 2, 1});
  EXPECT_EQ(cut.status().message().find("damaged PNG file: "), 0u)
      << cut.status();
}

TEST(ImageTest, KnowsWhichShapesAreImages) {
  EXPECT_TRUE(ImageOfShape({28, 28}).ok());
  EXPECT_TRUE(ImageOfShape({28, 28, 1}).ok());
  EXPECT_TRUE(ImageOfShape({32, 16, 3}).ok());
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
           {},
           {784},
           {28, 28, 2},
           {1, 28, 28, 1},
           {0, 28, 1},
           {28, -1, 1},
           {int64_t{1} << 62, int64_t{1} << 62, 3},
           {int64_t{1} << 16, int64_t{1} << 15, 1}}) {
    EXPECT_FALSE(ImageOfShape(shape).ok()) << ShapeText(shape);
  }
}

}  // namespace
}  // namespace mre
