#include "server/door/file_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "model/base/file.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

class FileWatchTest : public testing::Test {
 protected:
  FileWatch Watch(std::vector<std::string> paths) {
    return FileWatch(std::move(paths), [this] {
      ++taken_;
      return answer_;
    });
  }
  // Whether a look takes the files.
  bool Takes(FileWatch& watch) {
    const int before = taken_;
    EXPECT_THAT(watch.Look(), IsOk());
    return taken_ > before;
  }

  const TempDir dir_;
  absl::Status answer_;
  int taken_ = 0;
};

TEST_F(FileWatchTest, SeesFilesComeChangeAndGo) {
  const std::string path = dir_.File("a");
  FileWatch watch = Watch({path, dir_.File("b")});
  EXPECT_FALSE(Takes(watch));
  ASSERT_THAT(WriteFileAtomically(path, "one"), IsOk());
  EXPECT_TRUE(Takes(watch));
  EXPECT_FALSE(Takes(watch));
  // Replaced by one of the same size.
  ASSERT_THAT(WriteFileAtomically(path, "two"), IsOk());
  EXPECT_TRUE(Takes(watch));
  EXPECT_FALSE(Takes(watch));
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_TRUE(Takes(watch));
  EXPECT_FALSE(Takes(watch));
}

TEST_F(FileWatchTest, SeesWhatIsBehindALink) {
  ASSERT_THAT(WriteFileAtomically(dir_.File("one"), "1"), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir_.File("two"), "2"), IsOk());
  const std::string link = dir_.File("link");
  ASSERT_EQ(symlink(dir_.File("one").c_str(), link.c_str()), 0);
  FileWatch watch = Watch({link});
  EXPECT_FALSE(Takes(watch));
  ASSERT_EQ(symlink(dir_.File("two").c_str(), dir_.File("new").c_str()), 0);
  ASSERT_EQ(rename(dir_.File("new").c_str(), link.c_str()), 0);
  EXPECT_TRUE(Takes(watch));
  EXPECT_FALSE(Takes(watch));
}

TEST_F(FileWatchTest, TriesUntilItCanAndSaysOnceWhyNot) {
  const std::string path = dir_.File("a");
  FileWatch watch = Watch({path});
  ASSERT_THAT(WriteFileAtomically(path, "not yet valid"), IsOk());
  answer_ = absl::UnavailableError("not yet valid");
  EXPECT_EQ(watch.Look(), answer_);
  // The file is the same, and nothing new is to be said of it.
  EXPECT_TRUE(Takes(watch));
  EXPECT_TRUE(Takes(watch));
  answer_ = absl::UnavailableError("expired");
  EXPECT_EQ(watch.Look(), answer_);
  answer_ = absl::OkStatus();
  EXPECT_TRUE(Takes(watch));
  EXPECT_FALSE(Takes(watch));
}

}  // namespace
}  // namespace mre
