// What a run says: the table, the JSON, the line of each second; and the flags
// and the metrics page that it starts from.
#include "client/loadtest/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/loadtest/plan.h"
#include "client/loadtest/process_usage.h"
#include "client/loadtest/progress.h"
#include "model/base/cpus.h"

namespace mre {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Record Request(bool ok, Nanos latency) {
  Record record;
  record.intended = 1'000'000;
  record.started = record.intended;
  v1::Prediction prediction;
  prediction.set_final(true);
  prediction.set_step(2);
  prediction.set_macs(1500);
  prediction.set_stop_reason(v1::STOP_REASON_MAX_STEPS);
  if (ok) record.Add(prediction, 0.9, record.intended + latency);
  record.End(
      ok ? absl::OkStatus() : absl::ResourceExhaustedError("full \x1b[31m\xff"),
      record.intended + latency);
  return record;
}

// Two seconds of two classes: 3 + 1 requests that end well, 1 that fails.
Report TwoClasses() {
  Report report;
  report.flags.objective_ms = 5;
  report.model.set_model_name("m");
  report.classes.resize(2);
  report.classes[0].name = std::string("fast");
  report.classes[0].budget.set_max_steps(2);
  report.classes[1].name = std::string("slow");
  report.results.resize(2);
  for (const Nanos ms : {1, 2, 9}) {
    report.results[0].tally.Add(Request(true, ms * 1'000'000), 5'000'000);
  }
  report.results[0].window = {3, 3};
  report.results[1].tally.Add(Request(true, 4'000'000), 5'000'000);
  report.results[1].tally.Add(Request(false, 1'000'000), 5'000'000);
  report.results[1].window = {1, 1};
  for (const ClassResult& result : report.results) {
    report.all.tally.Merge(result.tally);
    report.all.window.ok += result.window.ok;
    report.all.window.predictions += result.window.predictions;
  }
  report.state.started = 5;
  report.window_seconds = 2;
  return report;
}

TEST(ReportTest, JsonHasStableNamesAndAddsUp) {
  const auto json = nlohmann::json::parse(ReportJson(TwoClasses()));
  EXPECT_EQ(json["program"], "mre-loadtest");
  EXPECT_EQ(json["due"], 5);
  EXPECT_EQ(json["all"]["requests"], 5);
  EXPECT_EQ(json["all"]["ok"], 4);
  EXPECT_EQ(json["all"]["failed"], 1);
  EXPECT_EQ(json["all"]["requests_per_s"], 2.0);
  EXPECT_EQ(json["all"]["good"], 3);
  EXPECT_EQ(json["all"]["goodput_per_s"], 1.5);
  EXPECT_EQ(json["all"]["stop_reasons"]["max_steps"], 4);
  EXPECT_EQ(json["all"]["failures"][0]["code"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(json["all"]["failures"][0]["count"], 1);
  EXPECT_TRUE(json["all"]["accuracy"].is_null());  // No labels.
  EXPECT_EQ(json["all"]["mean_macs"], 1500.0);
  EXPECT_EQ(json["all"]["latency_ms"]["max"], 9.0);
  EXPECT_EQ(json["classes"][0]["name"], "fast");
  EXPECT_EQ(json["classes"][0]["budget"]["max_steps"], 2);
  EXPECT_EQ(json["classes"][0]["requests"], 3);
  EXPECT_EQ(json["classes"][1]["requests"], 2);
  EXPECT_TRUE(json["server"].is_null());
}

TEST(ReportTest, TextHasAllClassesAndNoEscapeSequences) {
  const std::string text = ReportText(TwoClasses());
  EXPECT_THAT(text, HasSubstr("fast"));
  EXPECT_THAT(text, HasSubstr("slow"));
  EXPECT_THAT(text, HasSubstr("stopped by max_steps"));
  EXPECT_THAT(text, HasSubstr("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(text, HasSubstr("(60.0 % of what was due: ok within 5 ms)"));
  EXPECT_THAT(text, HasSubstr("server: CPU and memory not known"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(ReportTest, AServerWithoutTheSeriesIsNotKnown) {
  Report report = TwoClasses();
  report.server = Usage();
  EXPECT_THAT(ReportText(report), HasSubstr("server: CPU time not known s"));
  const auto json = nlohmann::json::parse(ReportJson(report));
  EXPECT_TRUE(json["server"]["cpu_s"].is_null());
}

TEST(ReportTest, WarnsOfWhatTheNumbersHide) {
  Report report = TwoClasses();
  EXPECT_THAT(Warnings(report), IsEmpty());
  report.client.cores = 1.7;
  report.client_cores = 2;
  report.state.not_started = 7;
  report.state.held_back = 3;
  report.state.cancelled = 2;
  report.interrupted = true;
  EXPECT_EQ(Warnings(report).size(), 5u);
  EXPECT_THAT(ReportText(report), HasSubstr("1.70 of 2 CPUs"));
}

TEST(ReportTest, NamesOfStopReasonsAreTheProtocols) {
  EXPECT_EQ(StopName(v1::STOP_REASON_CONFIDENCE), "confidence");
  EXPECT_EQ(StopName(static_cast<v1::StopReason>(77)), "reason_77");
}

TEST(ProgressTest, SaysAllInALine) {
  ProgressFacts facts;
  facts.seconds = 3.02;
  facts.ended = 12034;
  facts.failed = 2;
  facts.in_flight = 64;
  facts.per_second = 4010;
  facts.p99_nanos = 21.3e6;
  facts.seconds_left = 7;
  EXPECT_EQ(ProgressLine(facts),
            "   3s  12,034 done  64 in flight  2 errors  4,010/s  p99 21.3ms  "
            "7s left");
}

TEST(PlanTest, RefusesWhatMakesNoSenseAndNamesTheFlag) {
  const std::vector<std::pair<const char*, void (*)(LoadtestFlags&)>> cases = {
      {"--concurrency", [](LoadtestFlags& f) { f.concurrency = 0; }},
      {"--connections", [](LoadtestFlags& f) { f.connections = -1; }},
      {"--max_in_flight", [](LoadtestFlags& f) { f.max_in_flight = 0; }},
      {"--rate", [](LoadtestFlags& f) { f.rate = -5; }},
      {"--duration", [](LoadtestFlags& f) { f.duration = std::string("0s"); }},
      {"--warmup", [](LoadtestFlags& f) { f.warmup = std::string("5"); }},
      {"--drain", [](LoadtestFlags& f) { f.drain = std::string("-1s"); }},
      {"--confidence", [](LoadtestFlags& f) { f.confidence = 1.5; }},
      {"--objective_ms", [](LoadtestFlags& f) { f.objective_ms = -1; }},
      {"--sessions", [](LoadtestFlags& f) { f.sessions = 3; }},
      {"--min_confidence",
       [](LoadtestFlags& f) { f.budget.min_confidence = 2; }},
      {"--deadline",
       [](LoadtestFlags& f) {
         f.method = std::string("interactive");
         f.deadline = std::string("1s");
       }},
  };
  for (const auto& [name, change] : cases) {
    LoadtestFlags flags;
    ASSERT_TRUE(MakePlan(flags).ok());
    change(flags);
    const absl::Status status = MakePlan(flags).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

TEST(PlanTest, InteractiveHasAStreamForEachConnection) {
  LoadtestFlags flags;
  flags.method = std::string("interactive");
  flags.connections = 3;
  const auto plan = MakePlan(flags);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->transport.sessions, 3);
}

TEST(ProcessUsageTest, ReadsTheSeriesThatAreThere) {
  const UsageSample both = ParseProcessMetrics(
      "# HELP process_cpu_seconds_total x\n"
      "process_cpu_seconds_total 12.5\n"
      "process_resident_memory_bytes 1048576 1700000000\n",
      7);
  EXPECT_EQ(both.at, 7);
  EXPECT_EQ(both.cpu_seconds, 12.5);
  EXPECT_EQ(both.resident_bytes, 1048576);
  const UsageSample other =
      ParseProcessMetrics("process_cpu_seconds_total_other 3\n", 7);
  EXPECT_EQ(other.cpu_seconds, std::nullopt);
  EXPECT_EQ(other.resident_bytes, std::nullopt);
}

TEST(ProcessUsageTest, IsTheDifferenceOfTwoSamplesOfOneProcess) {
  const UsageSample before = {1'000'000'000, 3.0, 100.0};
  const Usage usage = UsageBetween(before, {3'000'000'000, 4.0, 150.0});
  EXPECT_EQ(usage.cpu_seconds, 1.0);
  EXPECT_EQ(usage.cores, 0.5);
  EXPECT_EQ(usage.resident_bytes_after, 150);
  // It was started anew.
  const Usage other = UsageBetween(before, {3'000'000'000, 0.5, 90.0});
  EXPECT_EQ(other.cpu_seconds, std::nullopt);
  EXPECT_EQ(other.cores, std::nullopt);
}

TEST(ProcessUsageTest, KnowsThisProcess) {
  const UsageSample sample = SampleSelf();
  EXPECT_GE(sample.cpu_seconds.value_or(-1), 0);
  EXPECT_GT(sample.resident_bytes.value_or(0), 0);
  EXPECT_GE(AvailableThreads(), 1);
}

}  // namespace
}  // namespace mre
