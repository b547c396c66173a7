#include "model/base/json_fields.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(ParseJsonTest, KeepsTheOrderOfKeys) {
  ASSERT_OK_AND_ASSIGN(
      const auto json,
      ParseJson(R"({"b": [{"x": 1}, {"x": 2}], "a": {}})", ""));
  EXPECT_EQ(JsonText(json), R"({"b":[{"x":1},{"x":2}],"a":{}})");
}

TEST(ParseJsonTest, RefusesKeysThatAreThereTwice) {
  const auto refuses = [](const char* text, const char* what) {
    EXPECT_THAT(ParseJson(text, "file"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what)))
        << text;
  };
  refuses(R"({"a": 1, "b": 2, "a": 1})", "file: \"a\" is there twice");
  refuses(R"([{"x": {"a": 1}}, {"x": {"a": 1, "a": 1}}])", "\"a\"");
  refuses(R"({"a": {"b": {}, "c": 1}, "b": 1, "c": 1, "b": 2})", "\"b\"");
  // The same key, spelled with an escape.
  refuses(R"({"a": 1, "\u0061": 2})", "\"a\"");
  refuses(R"({"a": 1, "a": 2)", "file: expected JSON");
}

TEST(ParseJsonTest, SaysOfALongKeyTheBeginningOnly) {
  EXPECT_THAT(
      ParseJson(R"({"s3cret0123456789": 1, "s3cret0123456789": 2})", "file"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("\"s3cret01...\" is there twice"),
                     Not(HasSubstr("s3cret012")))));
}

}  // namespace
}  // namespace mre
