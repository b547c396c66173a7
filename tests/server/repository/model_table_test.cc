#include "server/repository/model_table.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

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

}  // namespace
}  // namespace mre
