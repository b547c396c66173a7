#include "server/service/request_log.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/service/line_limit.h"
#include "tests/support/fake_clock.h"

namespace mre {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

TEST(LineLimitTest, CountsWhatIsBeyondASecondsLines) {
  LineLimit limit(2);
  const absl::Time start = absl::UnixEpoch();
  EXPECT_TRUE(limit.Take(start));
  EXPECT_TRUE(limit.Take(start + absl::Milliseconds(1)));
  EXPECT_FALSE(limit.Take(start + absl::Milliseconds(2)));
  EXPECT_FALSE(limit.Take(start + absl::Milliseconds(999)));
  EXPECT_TRUE(limit.Take(start + absl::Seconds(1)));
  EXPECT_EQ(limit.TakeLeftOut(), 2);
  EXPECT_EQ(limit.TakeLeftOut(), 0);
}

TEST(RequestLogTest, ErrorsAreThoseThatNobodyAskedFor) {
  RequestLog errors(LoggedRequests::kErrors);
  EXPECT_FALSE(errors.Takes(StatusCode::OK));
  EXPECT_FALSE(errors.Takes(StatusCode::CANCELLED));
  EXPECT_TRUE(errors.Takes(StatusCode::NOT_FOUND));
  RequestLog none(LoggedRequests::kNone);
  EXPECT_FALSE(none.Takes(StatusCode::NOT_FOUND));
  RequestLog all(LoggedRequests::kAll);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(all.Takes(StatusCode::OK));
}

TEST(RequestLogTest, AFloodOfErrorsIsTenLinesASecondAndTheirNumber) {
  FakeClock clock;
  RequestLog log(LoggedRequests::kErrors, &clock);
  int taken = 0;
  for (int i = 0; i < 100; ++i) {
    if (log.Takes(StatusCode::UNAVAILABLE)) ++taken;
  }
  EXPECT_EQ(taken, RequestLog::kErrorsASecond);
  testing::internal::CaptureStderr();
  log.TellLeftOut();
  log.TellLeftOut();
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr(" requests=90\n"));
  EXPECT_EQ(lines.find('\n'), lines.size() - 1);
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(log.Takes(StatusCode::UNAVAILABLE));
}

TEST(RequestLogTest, ALineSaysWhatIsKnown) {
  testing::internal::CaptureStderr();
  RequestLog::Write({.method = "Predict",
                     .model = "m",
                     .version = 3,
                     .code = StatusCode::RESOURCE_EXHAUSTED,
                     .error = "the queue is full",
                     .rows = 2,
                     .steps = 0,
                     .queued = absl::Microseconds(1500),
                     .total = absl::Milliseconds(2),
                     .request_id = "a\nb"},
                    nullptr);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr(" request method=Predict model=m version=3 "
                        "code=RESOURCE_EXHAUSTED error=\"the queue is full\" "
                        "rows=2 steps=0 queued_ms=1.5 total_ms=2 "
                        "request_id=\"a\\nb\"\n"));
  testing::internal::CaptureStderr();
  RequestLog::Write({.method = "ListModels", .total = absl::Seconds(1)},
                    nullptr);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr(" request method=ListModels code=OK total_ms=1000\n"));
}

TEST(RequestLogTest, ALongIdDoesNotMakeALongLine) {
  const std::string id(1 << 20, 'a');
  testing::internal::CaptureStderr();
  RequestLog::Write({.method = "Predict", .request_id = id}, nullptr);
  EXPECT_LT(testing::internal::GetCapturedStderr().size(), 1000u);
}

}  // namespace
}  // namespace mre
