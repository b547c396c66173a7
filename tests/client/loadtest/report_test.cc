#include "client/loadtest/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"

namespace mre {
namespace {

using ::testing::ElementsAre;
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

TEST(ReportTest, WarnsOfASharedMachineOnlyOnOne) {
  Report report = TwoClasses();
  report.client.cores = 0.9;
  report.client_cores = 2;
  report.server = Usage();
  report.server->cores = 1.1;
  report.flags.metrics = "10.0.0.7:8002";
  EXPECT_THAT(Warnings(report), IsEmpty());
  report.flags.metrics = "127.0.0.1:8002";
  EXPECT_THAT(Warnings(report),
              ElementsAre(HasSubstr("used 2.00 CPUs together")));
}

TEST(ReportTest, TheConfigHasTheFlagsThatMakeTheRun) {
  Report report = TwoClasses();
  LoadtestFlags& flags = report.flags;
  auto config = nlohmann::json::parse(ReportJson(report))["config"];
  EXPECT_TRUE(config["deadline"].is_null());
  EXPECT_TRUE(config["metrics"].is_null());
  EXPECT_EQ(config["dataset_dir"], flags.dataset_dir);
  flags.deadline = "1s";
  flags.drain = "3s";
  flags.every = 4;
  flags.delivery = "latest";
  flags.top_k = 2;
  flags.metrics = "127.0.0.1:8002";
  flags.random_inputs = true;
  config = nlohmann::json::parse(ReportJson(report))["config"];
  EXPECT_EQ(config["deadline"], "1s");
  EXPECT_EQ(config["drain"], "3s");
  EXPECT_EQ(config["every"], 4);
  EXPECT_EQ(config["delivery"], "latest");
  EXPECT_EQ(config["top_k"], 2);
  EXPECT_EQ(config["metrics"], "127.0.0.1:8002");
  EXPECT_EQ(config["random_inputs"], true);
  EXPECT_TRUE(config["dataset_dir"].is_null());
}

TEST(ReportTest, NamesOfStopReasonsAreTheProtocols) {
  EXPECT_EQ(StopName(v1::STOP_REASON_CONFIDENCE), "confidence");
  EXPECT_EQ(StopName(static_cast<v1::StopReason>(77)), "reason_77");
}

}  // namespace
}  // namespace mre
