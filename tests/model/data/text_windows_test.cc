#include "model/data/text_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace mre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Bytes(const std::vector<uint8_t>& values) {
  return {values.begin(), values.end()};
}

TEST(CharacterNameTest, IsReadableAndDifferentForEveryByte) {
  std::set<std::string> names;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name = CharacterName(static_cast<uint8_t>(byte));
    names.insert(name);
    for (const char c : name) EXPECT_TRUE(c > ' ' && c < 0x7f) << byte;
  }
  EXPECT_EQ(names.size(), 256u);
  EXPECT_EQ(CharacterName('a'), "a");
  EXPECT_EQ(CharacterName(' '), "space");
  EXPECT_EQ(CharacterName('\n'), "\\n");
  EXPECT_EQ(CharacterName('\\'), "\\\\");
  EXPECT_EQ(CharacterName(0x80), "\\x80");
  EXPECT_EQ(CharacterName(0), "\\x00");
}

TEST(CutWindowsTest, ALabelIsTheByteAfterItsWindow) {
  const auto task = CutWindows("abcabda", 3);
  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_THAT(task->classes, ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(Bytes(task->train.images),
            "abc"
            "bca"
            "cab");
  EXPECT_THAT(task->train.labels, ElementsAre(0, 1, 3));
  EXPECT_EQ(Bytes(task->test.images), "abd");
  EXPECT_THAT(task->test.labels, ElementsAre(0));
}

TEST(CutWindowsTest, TheLastTenthOfThePlacesIsTheTest) {
  std::string text;
  for (int i = 0; i < 204; ++i) text.push_back(static_cast<char>(i));
  const auto task = CutWindows(text, 4);
  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_EQ(task->classes.size(), 204u);
  ASSERT_EQ(task->train.size(), 180);
  ASSERT_EQ(task->test.size(), 20);
  // Every byte occurs once and is its own class.
  EXPECT_EQ(task->train.labels.back(), 183);
  EXPECT_EQ(task->test.labels.front(), 184);
  EXPECT_EQ(task->test.images.front(), 180);
}

TEST(CutWindowsTest, RefusesTextsThatAreTooShort) {
  for (const char* text : {"", "a", "abcde"}) {
    const auto task = CutWindows(text, 4);
    ASSERT_EQ(task.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(task.status().message()),
                HasSubstr("two bytes more than the window's 4"));
  }
  const auto smallest = CutWindows("abcdef", 4);
  ASSERT_TRUE(smallest.ok());
  EXPECT_EQ(smallest->train.size(), 1);
  EXPECT_EQ(smallest->test.size(), 1);
  EXPECT_FALSE(CutWindows("abc", SIZE_MAX).ok());
}

// Before it takes any memory for them.
TEST(CutWindowsTest, RefusesWindowsBeyondTheLimit) {
  const std::string text(1 << 17, 'a');
  const auto task = CutWindows(text, 1 << 16);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(task.status().message()),
              HasSubstr("windows of 4294967296 bytes in all at most"));
}

}  // namespace
}  // namespace mre
