#include "model/base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace mre {
namespace {

TEST(Utf8PrefixTest, CutsBetweenLetters) {
  EXPECT_EQ(Utf8Prefix("abc", 3), "abc");
  EXPECT_EQ(Utf8Prefix("abc", 2), "ab");
  EXPECT_EQ(Utf8Prefix("", 0), "");
  // Letters of two, three and four bytes.
  const std::string text = "a\u00e9\u20ac\U0001f600z";
  const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (size_t most = 0; most < std::size(ends); ++most) {
    EXPECT_EQ(Utf8Prefix(text, most), text.substr(0, ends[most])) << most;
  }
}

TEST(Utf8PrefixTest, LeavesWhatIsNoLetterNearlyAsLong) {
  EXPECT_EQ(Utf8Prefix(std::string(100, '\x80'), 50).size(), 47u);
  EXPECT_EQ(Utf8Prefix(std::string(100, '\xff'), 50).size(), 50u);
}

}  // namespace
}  // namespace mre
