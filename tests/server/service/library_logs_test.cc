#include "server/service/library_logs.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/log.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(LibraryLogsTest, WhatProtobufSaysOfAMessageIsALineOfTheLogAndFewOfThem) {
  SetLogFormat(LogFormat::kJson);
  TakeLibraryLogs();
  v1::PredictRequest request;
  request.set_model_name("good");
  std::string sent = request.SerializeAsString();
  *std::find(sent.begin(), sent.end(), 'd') = '\xff';
  constexpr int kMessages = 10'000;
  testing::internal::CaptureStderr();
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_FALSE(request.ParseFromString(sent));
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, StartsWith("{\"time\":"));
  EXPECT_THAT(lines, HasSubstr("invalid UTF-8"));
  EXPECT_THAT(lines, HasSubstr("\"source\":"));
  // How many depends on how long it took.
  const auto count = std::count(lines.begin(), lines.end(), '\n');
  EXPECT_GE(count, 1);
  EXPECT_LT(count, kMessages / 2);
}

}  // namespace
}  // namespace mre
