// gMock matchers for absl::Status and absl::StatusOr.
//
//   EXPECT_THAT(Parse(text), IsOk());
//   EXPECT_THAT(Count(text), IsOkAndHolds(3));
//   EXPECT_THAT(Parse("x"), StatusIs(absl::StatusCode::kInvalidArgument,
//                                    HasSubstr("byte 0")));
//
// ASSERT_OK_AND_ASSIGN(lhs, expr) unwraps or ends the test.
#ifndef MRE_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define MRE_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/status_macros.h"

#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  MRE_TEST_ASSIGN(MRE_CONCAT(test_status_or_, __LINE__), lhs, expr)
#define MRE_TEST_ASSIGN(tmp, lhs, expr)    \
  auto tmp = (expr);                       \
  ASSERT_TRUE(tmp.ok()) << (tmp).status(); \
  lhs = *std::move(tmp)

namespace mre {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.ok();
}

// Of an absl::StatusOr whose value `matcher` (or value) matches.
MATCHER_P(IsOkAndHolds, matcher, "is OK and its value matches") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return testing::ExplainMatchResult(matcher, *arg, result_listener);
}

MATCHER_P2(StatusIs, code, message,
           std::string("has the code ") + absl::StatusCodeToString(code) +
               " and a message that " +
               testing::DescribeMatcher<std::string>(message)) {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         testing::ExplainMatchResult(message, std::string(status.message()),
                                     result_listener);
}

// Any message.
inline auto StatusIs(absl::StatusCode code) {
  return StatusIs(code, testing::_);
}

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_STATUS_MATCHERS_H_
