#include "server/repository/version_plan.h"

#include <cstdint>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mre {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Files = std::map<int64_t, FileStamp>;

// Of a version's first, second, ... file.
FileStamp File(int64_t which) {
  FileStamp stamp;
  stamp.modified = which;
  return stamp;
}

TEST(PlanVersionsTest, LoadsWhatIsWantedNewestFirst) {
  VersionSnapshot now;
  now.policy = ParseVersionPolicy("latest:2").value();
  now.files = {{1, File(1)}, {2, File(1)}, {3, File(1)}};
  EXPECT_THAT(PlanVersions(now).serve, ElementsAre(3, 2));
  EXPECT_EQ(PlanVersions(now).load, 3);
  now.known.loaded[3] = File(1);
  EXPECT_EQ(PlanVersions(now).load, 2);
  now.known.loaded[2] = File(1);
  EXPECT_EQ(PlanVersions(now).load, 0);
  now.labelled = {1};
  EXPECT_THAT(PlanVersions(now).serve, ElementsAre(3, 2, 1));
  EXPECT_EQ(PlanVersions(now).load, 1);
}

TEST(PlanVersionsTest, AChangedFileIsLoadedAgain) {
  VersionSnapshot now;
  now.files = {{1, File(2)}};
  now.known.loaded = {{1, File(1)}};
  EXPECT_EQ(PlanVersions(now).load, 1);
  now.tried = {1};
  EXPECT_EQ(PlanVersions(now).load, 0);
}

TEST(PlanVersionsTest, WhatWasRefusedWaitsUntilItChanges) {
  VersionSnapshot now;
  now.files = {{1, File(1)}, {2, File(1)}};
  now.known.loaded = {{1, File(1)}};
  now.known.refused = {{2, File(1)}};
  EXPECT_THAT(PlanVersions(now).serve, ElementsAre(1));
  EXPECT_EQ(PlanVersions(now).load, 0);
  now.files[2] = File(2);
  EXPECT_EQ(PlanVersions(now).load, 2);
  // Or until somebody asks; then once.
  now.files[2] = File(1);
  now.retry = true;
  EXPECT_EQ(PlanVersions(now).load, 2);
  now.tried = {2};
  EXPECT_THAT(PlanVersions(now).serve, ElementsAre(1));
  EXPECT_EQ(PlanVersions(now).load, 0);
}

TEST(PlanVersionsTest, WhatIsLoadedIsServedThoughItsNewFileWasRefused) {
  VersionSnapshot now;
  now.files = {{1, File(2)}};
  now.known.loaded = {{1, File(1)}};
  now.known.refused = {{1, File(2)}};
  EXPECT_THAT(PlanVersions(now).serve, ElementsAre(1));
  EXPECT_EQ(PlanVersions(now).load, 0);
}

TEST(PlanVersionsTest, WhatCouldNotBeReadIsTriedAgainOnceItCan) {
  VersionSnapshot now;
  now.files = {{1, File(1)}, {2, FileStamp()}};
  now.known.loaded = {{1, File(1)}};
  EXPECT_EQ(PlanVersions(now).load, 2);
  now.known.refused = {{2, FileStamp()}};
  EXPECT_THAT(PlanVersions(now).serve, ElementsAre(1));
  EXPECT_EQ(PlanVersions(now).load, 0);
  // The file is what it was, and can be read now.
  now.files[2] = File(1);
  EXPECT_EQ(PlanVersions(now).load, 2);
}

TEST(PlanVersionsTest, AVersionWhoseFileIsAwaitedDoesNotCount) {
  VersionSnapshot now;
  now.files = {{1, File(1)}, {2, FileStamp()}};
  now.awaited = {2};
  EXPECT_THAT(PlanVersions(now).serve, ElementsAre(1));
  EXPECT_EQ(PlanVersions(now).load, 1);
}

TEST(PlanVersionsTest, WhoAsksAgainIsRidOfWhatWasRefusedMeanwhile) {
  VersionSnapshot now;
  now.files = {{1, File(1)}};
  now.known.loaded = {{1, File(1)}};
  now.known.refused = {{1, FileStamp()}};
  EXPECT_EQ(PlanVersions(now).load, 0);
  now.retry = true;
  EXPECT_EQ(PlanVersions(now).load, 1);
}

TEST(SettledFilesTest, WhatChangesIsLeftUntilItIsTheSameForTwoLooks) {
  const Files loaded = {{1, File(1)}};
  EXPECT_EQ(SettledFiles({{1, File(2)}, {2, File(1)}}, {{1, File(1)}}, loaded),
            (Files{{1, File(1)}}));
  const Files now = {{1, File(2)}, {2, File(1)}};
  EXPECT_EQ(SettledFiles(now, now, loaded), now);
  // What goes.
  EXPECT_EQ(SettledFiles({}, now, loaded), loaded);
  EXPECT_THAT(SettledFiles({}, {}, loaded), IsEmpty());
}

TEST(SettledFilesTest, WhatCannotBeLookedAtCountsAsUnchanged) {
  const Files now = {{1, FileStamp()}, {2, FileStamp()}};
  EXPECT_EQ(SettledFiles(now, now, {{1, File(1)}}),
            (Files{{1, File(1)}, {2, FileStamp()}}));
}

TEST(PlanVersionsTest, WithoutFilesNothingIsServed) {
  VersionSnapshot now;
  now.known.loaded = {{1, File(1)}};
  EXPECT_THAT(PlanVersions(now).serve, IsEmpty());
  EXPECT_EQ(PlanVersions(now).load, 0);
}

}  // namespace
}  // namespace mre
