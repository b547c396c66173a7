#include "server/door/file_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "model/base/file.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

TEST(FileWatchTest, SeesFilesComeChangeAndGo) {
  const TempDir dir;
  const std::string path = dir.File("a");
  FileWatch watch({path, dir.File("b")});
  EXPECT_FALSE(watch.Changed());
  ASSERT_THAT(WriteFileAtomically(path, "one"), IsOk());
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
  // Replaced by one of the same size.
  ASSERT_THAT(WriteFileAtomically(path, "two"), IsOk());
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
}

TEST(FileWatchTest, SeesWhatIsBehindALink) {
  const TempDir dir;
  ASSERT_THAT(WriteFileAtomically(dir.File("one"), "1"), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir.File("two"), "2"), IsOk());
  const std::string link = dir.File("link");
  ASSERT_EQ(symlink(dir.File("one").c_str(), link.c_str()), 0);
  FileWatch watch({link});
  EXPECT_FALSE(watch.Changed());
  ASSERT_EQ(symlink(dir.File("two").c_str(), dir.File("new").c_str()), 0);
  ASSERT_EQ(rename(dir.File("new").c_str(), link.c_str()), 0);
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
}

}  // namespace
}  // namespace mre
