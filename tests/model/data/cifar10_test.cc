#include "model/data/cifar10.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kPlane = 32 * 32;

auto Refused(const std::string& why) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why));
}

std::string Record(char label, char red, char green, char blue) {
  return label + std::string(kPlane, red) + std::string(kPlane, green) +
         std::string(kPlane, blue);
}

TEST(Cifar10Test, PutsAPixelsColoursTogether) {
  std::string bytes = Record(3, 0, 0, 0) + Record(9, 1, 2, 3);
  // Of the first record, row 2, column 5: one byte of each plane.
  const size_t pixel = 2 * 32 + 5;
  bytes[1 + pixel] = '\x0a';
  bytes[1 + kPlane + pixel] = '\x80';
  bytes[1 + 2 * kPlane + pixel] = '\xff';
  ASSERT_OK_AND_ASSIGN(const LabelledImages images, ParseCifar10(bytes));
  EXPECT_THAT(images.labels, ElementsAre(3, 9));
  ASSERT_EQ(images.images.size(), 2 * 3 * kPlane);
  for (size_t i = 0; i < kPlane; ++i) {
    const bool set = i == pixel;
    EXPECT_EQ(images.images[3 * i], set ? 0x0a : 0) << i;
    EXPECT_EQ(images.images[3 * i + 1], set ? 0x80 : 0) << i;
    EXPECT_EQ(images.images[3 * i + 2], set ? 0xff : 0) << i;
  }
  for (size_t i = 3 * kPlane; i < 6 * kPlane; ++i) {
    EXPECT_EQ(images.images[i], 1 + i % 3) << i;
  }
}

TEST(Cifar10Test, RefusesEveryTruncation) {
  const std::string whole = Record(1, 2, 3, 4) + Record(5, 6, 7, 8);
  ASSERT_THAT(ParseCifar10(whole), IsOk());
  for (size_t size = 0; size < whole.size(); ++size) {
    if (size == whole.size() / 2) continue;
    EXPECT_THAT(ParseCifar10(whole.substr(0, size)),
                Refused(absl::StrCat("record ", size / 3073, " ends after ",
                                     size % 3073)));
  }
  EXPECT_THAT(ParseCifar10(whole + "x"), Refused("record 2 ends after 1"));
}

TEST(Cifar10Test, RefusesLabelsAboveNine) {
  EXPECT_THAT(
      ParseCifar10(Record(9, 0, 0, 0) + Record(10, 0, 0, 0)),
      Refused("record 1, byte 3073: expected a label below 10, got 10"));
  EXPECT_THAT(ParseCifar10(Record('\xff', 0, 0, 0)), Refused("got 255"));
}

TEST(Cifar10NamesTest, ReadsTenLines) {
  const std::string text = "a\nb b\nc\nd\ne\nf\ng\nh\ni\nj";
  const auto names =
      ElementsAre("a", "b b", "c", "d", "e", "f", "g", "h", "i", "j");
  EXPECT_THAT(ParseCifar10Names(text), IsOkAndHolds(names));
  EXPECT_THAT(ParseCifar10Names(text + "\n"), IsOkAndHolds(names));
  EXPECT_THAT(ParseCifar10Names(text + "\r\n\r\n"), IsOkAndHolds(names));
}

TEST(Cifar10NamesTest, RefusesAnyOtherNumberOfNames) {
  EXPECT_THAT(ParseCifar10Names(""), Refused("expected 10 names"));
  EXPECT_THAT(ParseCifar10Names("a\nb\n"), Refused("got 2"));
  EXPECT_THAT(ParseCifar10Names("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n"),
              Refused("line 11: expected 10 names"));
}

TEST(Cifar10NamesTest, RefusesNamesThatAreNotPrintable) {
  EXPECT_THAT(ParseCifar10Names("a\n\nc\n"), Refused("line 2"));
  EXPECT_THAT(ParseCifar10Names("a\nb\n\xff\n"), Refused("line 3"));
}

}  // namespace
}  // namespace mre
