#include "server/service/trace_context.h"

#include <string>

#include "gtest/gtest.h"

namespace mre {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";

TEST(ParseTraceParentTest, ReadsTheIds) {
  const std::string header = "00-" + kTrace + "-" + kSpan + "-01";
  const auto parent = ParseTraceParent(header);
  ASSERT_TRUE(parent.has_value());
  EXPECT_EQ(parent->trace_id, kTrace);
  EXPECT_EQ(parent->parent_id, kSpan);
}

TEST(ParseTraceParentTest, LaterVersionsMayGoOn) {
  const std::string ids = "-" + kTrace + "-" + kSpan + "-00";
  EXPECT_TRUE(ParseTraceParent("cc" + ids).has_value());
  EXPECT_TRUE(ParseTraceParent("cc" + ids + "-more").has_value());
  EXPECT_FALSE(ParseTraceParent("cc" + ids + "more").has_value());
  EXPECT_FALSE(ParseTraceParent("00" + ids + "-more").has_value());
  EXPECT_FALSE(ParseTraceParent("ff" + ids).has_value());
}

TEST(ParseTraceParentTest, IgnoresWhatIsNotValid) {
  const std::string good = "00-" + kTrace + "-" + kSpan + "-01";
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = 'G';
    EXPECT_FALSE(ParseTraceParent(bad).has_value()) << bad;
    bad[i] = 'A';
    EXPECT_FALSE(ParseTraceParent(bad).has_value()) << bad;
    EXPECT_FALSE(ParseTraceParent(good.substr(0, i)).has_value()) << i;
  }
  EXPECT_FALSE(ParseTraceParent(good + " ").has_value());
  const std::string zeros(32, '0');
  EXPECT_FALSE(
      ParseTraceParent("00-" + zeros + "-" + kSpan + "-01").has_value());
  EXPECT_FALSE(ParseTraceParent("00-" + kTrace + "-" + zeros.substr(16) + "-01")
                   .has_value());
}

}  // namespace
}  // namespace mre
