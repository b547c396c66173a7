#include "model/base/gzip.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "tests/support/gzip.h"

namespace mre {
namespace {

TEST(GzipTest, GivesBackTheContent) {
  const std::string content(1'000'000, 'x');
  for (const std::string& text : {std::string(), std::string("a"), content}) {
    const std::string file = Gzip(text);
    EXPECT_TRUE(IsGzip(file));
    const auto result = Gunzip(file, 1'000'000);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(*result, text);
  }
}

TEST(GzipTest, JoinsMembers) {
  const auto result = Gunzip(Gzip("one ") + Gzip("two"), 100);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, "one two");
}

TEST(GzipTest, RefusesEveryTruncation) {
  const std::string whole = Gzip("some content, some content");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Gunzip(whole.substr(0, size), 100).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  }
}

TEST(GzipTest, RefusesDamage) {
  std::string file = Gzip("some content");
  file[file.size() - 5] ^= 1;  // In the checksum.
  EXPECT_EQ(Gunzip(file, 100).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(IsGzip("\x1f"));
  EXPECT_FALSE(Gunzip("plain text", 100).ok());
}

TEST(GzipTest, StopsAtTheLimit) {
  const std::string bomb = Gzip(std::string(10'000'000, '\0'));
  EXPECT_EQ(Gunzip(bomb, 9'999'999).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Gunzip(bomb, 10'000'000).ok());
}

}  // namespace
}  // namespace mre
