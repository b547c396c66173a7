#include "model/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mre {
namespace {

using ::testing::MatchesRegex;

TEST(LogTest, WhatAClientSendsCannotForgeLines) {
  testing::internal::CaptureStderr();
  Log(Severity::kWarning, "model \"a\nE b\r\x1b[31m\x7f\tc\xc3\xa9\"");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              MatchesRegex("W [0-9-]+T[0-9:]+\\.[0-9][0-9][0-9]Z "
                           "model \"a\\?E b\\?\\?\\[31m\\?\\?c\xc3\xa9\"\n"));
}

}  // namespace
}  // namespace mre
