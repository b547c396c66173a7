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

TEST(PlanVersionsTest, WithoutFilesNothingIsServed) {
  VersionSnapshot now;
  now.known.loaded = {{1, File(1)}};
  EXPECT_THAT(PlanVersions(now).serve, IsEmpty());
  EXPECT_EQ(PlanVersions(now).load, 0);
}

}  // namespace
}  // namespace mre
