#include "model/base/json_depth.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

TEST(JsonDepthTest, CountsOpenBracketsOutsideOfTexts) {
  EXPECT_EQ(JsonDepth(""), 0);
  EXPECT_EQ(JsonDepth("1"), 0);
  EXPECT_EQ(JsonDepth(R"({"a":[1],"b":[{"c":[]}]})"), 4);
  EXPECT_EQ(JsonDepth(R"(["[[[", "\"[[", [1]])"), 2);
  EXPECT_EQ(JsonDepth("]]]["), 0);  // no JSON
  EXPECT_EQ(JsonDepth(R"("[\)"), 0);
}

}  // namespace
}  // namespace mre
