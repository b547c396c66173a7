// What mre-loadtest measures.
#include <signal.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/loadtest_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kImages = 10000;  // Of the test set.

// The README's accuracy of the checkpoint after one expert, and its cost.
TEST_F(LoadtestTest, OnePassOverTheTestSetHasItsAccuracyByEachMethod) {
  for (const char* method : {"predict", "stream", "interactive"}) {
    SCOPED_TRACE(method);
    const Json json = Run(
        {absl::StrCat("--method=", method), "--requests=10000", "--warmup=0s",
         "--concurrency=64", "--max_steps=1", "--connections=2"});
    const Json& all = json["all"];
    EXPECT_EQ(all["requests"], kImages);
    EXPECT_EQ(all["ok"], kImages);
    EXPECT_EQ(all["labelled"], kImages);
    EXPECT_NEAR(all["accuracy"].get<double>(), 0.8805, 1e-9);
    EXPECT_EQ(all["mean_steps"], 1.0);
    EXPECT_EQ(all["mean_macs"], 62720.0);
    EXPECT_EQ(all["stop_reasons"], Json({{"max_steps", kImages}}));
    const bool steps = std::string(method) != "predict";
    EXPECT_EQ(all["step_gap_ms"]["count"], steps ? kImages : 0);
    EXPECT_EQ(all["first_prediction_ms"]["count"], kImages);
    EXPECT_NEAR(all["steps_per_s"].get<double>(),
                all["requests_per_s"].get<double>() * (steps ? 2 : 1), 1);
    EXPECT_LE(all["first_prediction_ms"]["p50"].get<double>(),
              all["latency_ms"]["p50"].get<double>());
  }
  // The server has seen as many: no request was sent twice.
  EXPECT_EQ(server_->Metrics().Sum("mre_rows_total"), 3.0 * kImages);
}

TEST_F(LoadtestTest, TheMetricsPageGivesTheServersCpuAndMemory) {
  const Json json =
      Run({"--duration=1s", "--warmup=200ms", "--concurrency=8",
           "--objective_ms=60000", "--metrics=" + server_->metrics_target()});
  EXPECT_GT(json["server"]["cpu_s"].get<double>(), 0);
  EXPECT_GT(json["server"]["cores"].get<double>(), 0);
  EXPECT_GT(json["server"]["resident_bytes_after"].get<double>(), 1e6);
  EXPECT_GT(json["client"]["cpu_s"].get<double>(), 0);
  EXPECT_NEAR(json["window_s"].get<double>(), 1, 1e-6);
  EXPECT_EQ(json["all"]["good"], json["all"]["ok"]);
  EXPECT_EQ(json["connection_lost"], false);
}

TEST_F(LoadtestTest, ClassesGetTheirSharesAndTheirBudgets) {
  const Json json = Run({"--requests=2000", "--warmup=0s", "--concurrency=32",
                         "--class=short:3:max_steps=2",
                         "--class=sure:1:min_confidence=0.5,stable_steps=0",
                         "--class=cheap:1:max_macs=70000"});
  const Json& parts = json["classes"];
  ASSERT_EQ(parts.size(), 3u);
  const double shares[] = {0.6, 0.2, 0.2};
  for (size_t i = 0; i < 3; ++i) {
    const double sigma = std::sqrt(2000 * shares[i] * (1 - shares[i]));
    EXPECT_NEAR(parts[i]["requests"].get<double>(), 2000 * shares[i],
                4 * sigma);
  }
  EXPECT_EQ(parts[0]["name"], "short");
  EXPECT_EQ(parts[0]["stop_reasons"],
            Json({{"max_steps", parts[0]["requests"]}}));
  EXPECT_EQ(parts[0]["mean_steps"], 2.0);
  EXPECT_GT(parts[1]["stop_reasons"]["confidence"].get<uint64_t>(),
            parts[1]["requests"].get<uint64_t>() * 9 / 10);
  EXPECT_EQ(parts[2]["stop_reasons"],
            Json({{"max_macs", parts[2]["requests"]}}));
  EXPECT_EQ(parts[2]["mean_steps"], 1.0);
}

// A server that stands still for half a second while requests become due each
// 10 ms. A tool that waits for an answer before it asks again would see one
// slow request; here all that were due in that time have waited.
TEST_F(LoadtestTest, AStallIsInTheLatencyOfAllThatWereDueInIt) {
  constexpr double kRate = 100;  // Which a slow machine keeps up with, too.
  constexpr double kStallMs = 500;
  Loadtest run(Flags({"--rate=100", "--arrival=uniform", "--duration=4s",
                      "--warmup=0s", "--max_steps=1"}));
  AwaitRequests(50);
  server_->Signal(SIGSTOP);
  absl::SleepFor(absl::Milliseconds(kStallMs));
  server_->Signal(SIGCONT);
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const Json json = Parse(run);
  const Json& all = json["all"];
  EXPECT_EQ(all["requests"], 4 * kRate);
  EXPECT_EQ(all["failed"], 0);
  // 50 of the 400 were due in the stall, evenly: the slowest 1 % waited for
  // more than 460 ms of it, and the 93.75th in a hundred for half of it.
  const double longest = all["latency_ms"]["p99"].get<double>();
  EXPECT_GT(longest, 0.8 * kStallMs);
  EXPECT_GT(all["latency_ms"]["mean"].get<double>(),
            0.8 * kStallMs / 2 * (kStallMs / 4000));
  // The others did not, and most of all were sent when they were due.
  EXPECT_LT(all["latency_ms"]["p50"].get<double>(), longest / 2);
  EXPECT_LT(all["start_delay_ms"]["p50"].get<double>(), longest / 2);
}

TEST_F(LoadtestTest, WhatCannotBeStartedIsReported) {
  Loadtest run(Flags({"--rate=500", "--arrival=uniform", "--duration=1500ms",
                      "--warmup=0s", "--max_in_flight=5", "--max_steps=1"}));
  AwaitRequests(50);
  server_->Signal(SIGSTOP);
  absl::SleepFor(absl::Seconds(2));  // Until the window is over.
  server_->Signal(SIGCONT);
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const Json json = Parse(run);
  EXPECT_EQ(json["due"], 750);
  EXPECT_GE(json["not_started"].get<uint64_t>(), 100u);
  EXPECT_GE(json["held_back"].get<uint64_t>(), 1u);
  EXPECT_THAT(json["warnings"].dump(), HasSubstr("could not be started"));
}

TEST_F(LoadtestTest, FailuresHaveTheirCodeAndAMessage) {
  Loadtest run(Flags({"--class=fits:1:max_steps=1", "--class=not:1:max_macs=5",
                      "--requests=400", "--warmup=0s", "--concurrency=16"}));
  EXPECT_EQ(run.Wait(), 0);
  const Json json = Parse(run);
  const Json& failing = json["classes"][1];
  EXPECT_EQ(failing["ok"], 0);
  ASSERT_EQ(failing["failures"].size(), 1u);
  EXPECT_EQ(failing["failures"][0]["code"], "INVALID_ARGUMENT");
  EXPECT_THAT(failing["failures"][0]["example"].get<std::string>(),
              HasSubstr("53888"));
  EXPECT_EQ(json["classes"][0]["failed"], 0);
}

TEST(LoadtestShapeTest, AModelOfAnotherShapeNeedsRandomInputs) {
  const TempDir root;
  ModelConfig config = FashionConfig();
  config.input.shape = {4, 6, 1};
  ASSERT_THAT(
      WriteToRepository(root.path(), "small", 1, RandomModel(config, 1)),
      IsOk());
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  Loadtest wrong({"--server=" + server->target()});
  EXPECT_EQ(wrong.Wait(), 2);
  EXPECT_THAT(wrong.Err(), HasSubstr("the model takes 4x6x1"));
  EXPECT_THAT(wrong.Err(), HasSubstr("--random_inputs"));
  Loadtest random({"--server=" + server->target(), "--random_inputs",
                   "--requests=50", "--warmup=0s"});
  EXPECT_EQ(random.Wait(), 0) << random.Err();
  EXPECT_THAT(random.Out(), HasSubstr("256 random inputs"));
  EXPECT_THAT(random.Out(), Not(HasSubstr("warning")));
}

TEST(LoadtestUsageTest, HelpAndVersionAreNoErrors) {
  Loadtest help({"--help"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.Out(), HasSubstr("--max_in_flight"));
  Loadtest version({"--version"});
  EXPECT_EQ(version.Wait(), 0);
  EXPECT_THAT(version.Out(), HasSubstr("mre-loadtest "));
}

}  // namespace
}  // namespace mre
