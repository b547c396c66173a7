// SIGTERM under load.
#include <signal.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

struct Outcome {
  absl::Status status;
  int finals = 0;
  std::vector<v1::StopReason> reasons;
};

// Streams of two slow rows each, all running when SIGTERM comes; returns what
// became of them, and the server's exit code.
std::vector<Outcome> TerminateUnderLoad(const std::string& drain_seconds,
                                        int streams, int* exit_code) {
  auto started =
      ServerProcess::Start({"--drain_seconds=" + drain_seconds,
                            "--max_active_rows=8", "--brownout=off"});
  EXPECT_THAT(started, IsOk());
  ServerProcess& server = **started;
  const auto client = server.Connect();
  std::vector<Outcome> outcomes(streams);
  std::vector<std::thread> threads;
  for (int i = 0; i < streams; ++i) {
    threads.emplace_back([&, i] {
      v1::PredictRequest request = MakeRequest(kSlow, 2, i);
      request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
      outcomes[i].status =
          client->Stream(request, [&](const v1::PredictUpdate& update) {
            for (const v1::Prediction& p : update.predictions()) {
              if (!p.final()) continue;
              ++outcomes[i].finals;
              outcomes[i].reasons.push_back(p.stop_reason());
            }
            return true;
          });
    });
  }
  // All admitted: active or queued.
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (absl::Now() < deadline) {
    const MetricsPage page = server.Metrics();
    const double rows = page.Sum("mre_active_rows") +
                        page.Sum("mre_queued_rows") +
                        page.Sum("mre_rows_total");
    if (rows >= 2 * streams) break;
    absl::SleepFor(absl::Milliseconds(1));
  }
  server.Signal(SIGTERM);
  // Health turns before anything else, and new work is refused.
  absl::StatusOr<ServingStatus> health = ServingStatus::kServing;
  while (health.ok() && *health == ServingStatus::kServing &&
         absl::Now() < deadline) {
    health = client->Health();
  }
  EXPECT_TRUE(!health.ok() || *health == ServingStatus::kNotServing);
  absl::Status refused;
  while (refused.ok() && absl::Now() < deadline)
    refused = client->Predict(MakeRequest(kQuick)).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable, testing::_));
  for (std::thread& thread : threads) thread.join();
  *exit_code = server.Wait();
  return outcomes;
}

TEST(DrainTest, RowsFinishWithinTheDrainTime) {
  int exit_code = -1;
  for (const Outcome& outcome : TerminateUnderLoad("60", 12, &exit_code)) {
    EXPECT_THAT(outcome.status, IsOk());
    EXPECT_EQ(outcome.finals, 2);
    EXPECT_THAT(outcome.reasons, testing::Each(v1::STOP_REASON_EXHAUSTED));
  }
  EXPECT_EQ(exit_code, 0);
}

TEST(DrainTest, RowsThatRemainGetTheirBestSoFar) {
  int exit_code = -1;
  int drained = 0;
  for (const Outcome& outcome : TerminateUnderLoad("0", 40, &exit_code)) {
    EXPECT_THAT(outcome.status, IsOk());
    EXPECT_EQ(outcome.finals, 2);
    for (const v1::StopReason reason : outcome.reasons) {
      if (reason == v1::STOP_REASON_DRAINING) ++drained;
    }
  }
  EXPECT_GT(drained, 0);
  EXPECT_EQ(exit_code, 0);
}

TEST(DrainTest, AnIdleServerEndsAtOnceEvenWithStreamsOpen) {
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::Start({"--drain_seconds=60"}));
  const auto client = server->Connect();
  const auto session = client->OpenSession();
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (server->Metrics().Sum("mre_open_streams") == 0 &&
         absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  const absl::Time start = absl::Now();
  server->Signal(SIGTERM);
  EXPECT_EQ(server->Wait(), 0);
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
  EXPECT_THAT(session->Read(),
              StatusIs(absl::StatusCode::kUnavailable, testing::_));
}

}  // namespace
}  // namespace mre
