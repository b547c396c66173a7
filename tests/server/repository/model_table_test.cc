#include "server/repository/model_table.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::shared_ptr<const ServedModel> Served(const std::string& name,
                                          int64_t version) {
  ServedModel served;
  served.name = name;
  served.version = version;
  return std::make_shared<const ServedModel>(std::move(served));
}

TEST(ModelTableTest, RepeatsNoHalfLetterOfWhatWasSent) {
  ModelTable table;
  table.Serve(Served("a", 1), FileStamp());
  // Its byte 128 is the second of a letter.
  const std::string sent = std::string(127, 'x') + "\u00e9" + "rest";
  for (const absl::Status& status :
       {table.Find(sent, 0, "").status(), table.Find("a", 0, sent).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound,
                                 HasSubstr(std::string(127, 'x') + "\"")));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\xc3")));
  }
}

TEST(ModelTableTest, CountsAFileThatStillCannotBeReadOnce) {
  ModelTable table;
  EXPECT_TRUE(table.Refuse("a", 1, FileStamp(), "no descriptors"));
  EXPECT_FALSE(table.Refuse("a", 1, FileStamp(), "no descriptors"));
  EXPECT_EQ(table.load_counts()[0].refused, 1);
  EXPECT_TRUE(table.Refuse("a", 1, FileStamp(), "no permission"));
  EXPECT_EQ(table.load_counts()[0].refused, 2);
  // One that was read is refused each time.
  FileStamp stamp;
  stamp.size = 1;
  EXPECT_TRUE(table.Refuse("a", 1, stamp, "damaged"));
  EXPECT_TRUE(table.Refuse("a", 1, stamp, "damaged"));
  EXPECT_EQ(table.load_counts()[0].refused, 4);
  EXPECT_EQ(table.Get("a", 1, "")->reason, "damaged");
}

TEST(ModelTableTest, WhatIsServedStaysAndSaysWhatWasRefused) {
  ModelTable table;
  table.Serve(Served("a", 1), FileStamp());
  table.Refuse("a", 1, FileStamp(), "no permission");
  const VersionStatus status = *table.Get("a", 1, "");
  EXPECT_EQ(status.state, VersionState::kReady);
  EXPECT_THAT(status.reason, EndsWith("refused: no permission"));
}

}  // namespace
}  // namespace mre
