#include "model/data/usps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

auto Refused(const std::string& why) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why));
}

// `count` times " `grey`".
std::string Greys(int count, const std::string& grey) {
  std::string text;
  for (int i = 0; i < count; ++i) absl::StrAppend(&text, " ", grey);
  return text;
}

// A record whose grey value number 100 is `grey`.
std::string With(const std::string& grey) {
  return absl::StrCat("5", Greys(99, "-1"), " ", grey, Greys(156, "-1"), "\n");
}

TEST(UspsTest, ReadsBothWaysOfWriting) {
  const std::string text =
      absl::StrCat("6.0000", Greys(256, "-1.0000"), " \n", "9", Greys(256, "1"),
                   "\n", "0", Greys(256, "-0"));
  ASSERT_OK_AND_ASSIGN(const LabelledImages images, ParseUsps(text));
  EXPECT_THAT(images.labels, ElementsAre(6, 9, 0));
  ASSERT_THAT(images.images, SizeIs(3 * 256));
  for (size_t i = 0; i < images.images.size(); ++i) {
    EXPECT_EQ(images.images[i], i < 256 ? 0 : i < 512 ? 255 : 128) << i;
  }
}

TEST(UspsTest, MapsEveryGreyInOrder) {
  std::string text = "7";
  for (int i = 0; i < 256; ++i) {
    absl::StrAppendFormat(&text, " %.3f", i / 127.5 - 1);
  }
  ASSERT_OK_AND_ASSIGN(const LabelledImages images, ParseUsps(text));
  for (int i = 0; i < 256; ++i) EXPECT_EQ(images.images[i], i);
}

TEST(UspsTest, RoundsToTheNearestByte) {
  for (int thousandths = -1000; thousandths <= 1000; ++thousandths) {
    const double grey = thousandths / 1000.0;
    ASSERT_OK_AND_ASSIGN(const LabelledImages images,
                         ParseUsps(With(absl::StrFormat("%.3f", grey))));
    EXPECT_EQ(images.images[99], std::round((grey + 1) * 127.5)) << grey;
  }
}

TEST(UspsTest, RefusesAnyOtherNumberOfValues) {
  const std::string good = With("0");
  EXPECT_THAT(ParseUsps(absl::StrCat(good, "3", Greys(255, "0"), "\n")),
              Refused("line 2: expected 257 numbers, got 256"));
  EXPECT_THAT(ParseUsps(absl::StrCat(good, "3", Greys(257, "0"), "\n")),
              Refused("line 2: expected 257 numbers, got 258"));
  EXPECT_THAT(ParseUsps(good + "\n" + good),
              Refused("line 2: expected 257 numbers, got 0"));
  EXPECT_THAT(ParseUsps(good + " "), Refused("line 2"));
}

TEST(UspsTest, RefusesNoText) {
  EXPECT_THAT(ParseUsps(""), Refused("expected a record"));
}

// But for the last newline, which may be missing.
TEST(UspsTest, RefusesEveryTruncation) {
  const std::string whole = With("0");
  for (size_t size = 0; size < whole.size() - 1; ++size) {
    EXPECT_FALSE(ParseUsps(whole.substr(0, size)).ok()) << size;
  }
}

TEST(UspsTest, RefusesLabelsThatAreNoDigits) {
  for (const char* label :
       {"10", "-1", "1.5", "nan", "x", "1e0", "0x1", "+1"}) {
    EXPECT_THAT(ParseUsps(absl::StrCat(label, Greys(256, "0"))),
                Refused("line 1: expected a digit, got"))
        << label;
  }
}

TEST(UspsTest, RefusesValuesOutOfRangeAndWhatIsNoNumber) {
  for (const char* grey :
       {"1.001", "-1.001", "256", "nan", "-nan", "inf", "-inf", "1e-3", "0x0",
        "+1", ".", "-", "0,5", "0\t0", "0\r", "0.5x", "\xff"}) {
    EXPECT_THAT(ParseUsps(With("0") + With(grey)),
                Refused("USPS: line 2: expected a number in [-1, 1], got"))
        << grey;
  }
  EXPECT_THAT(ParseUsps(With(std::string("0\0", 2))),
              Refused("got \"0\\x00\""));
}

TEST(UspsTest, QuotesLittleOfALongText) {
  const auto status = ParseUsps(With(std::string(100000, 'x'))).status();
  EXPECT_LT(status.message().size(), 200u);
}

}  // namespace
}  // namespace mre
