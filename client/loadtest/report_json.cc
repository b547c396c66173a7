#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "client/loadtest/report.h"
#include "model/base/version.h"

namespace mre {
namespace {

using Json = nlohmann::ordered_json;

Json OrNull(const std::optional<double>& value) {
  return value.has_value() ? Json(*value) : Json();
}

Json TextOrNull(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

double Ms(double nanos) { return nanos * 1e-6; }

Json Times(const Histogram& histogram) {
  const auto at = [&histogram](double q) {
    return Ms(static_cast<double>(histogram.Quantile(q)));
  };
  return {{"count", histogram.count()},
          {"mean", Ms(histogram.Mean())},
          {"min", Ms(static_cast<double>(histogram.min()))},
          {"p50", at(0.5)},
          {"p90", at(0.9)},
          {"p99", at(0.99)},
          {"p99_9", at(0.999)},
          {"max", Ms(static_cast<double>(histogram.max()))}};
}

Json Mean(uint64_t sum, uint64_t count) {
  if (count == 0) return {};
  return static_cast<double>(sum) / static_cast<double>(count);
}

Json Part(const Report& report, const ClassResult& result) {
  const Tally& tally = result.tally;
  Json stops = Json::object();
  for (const auto& [reason, count] : tally.stops) {
    stops[StopName(reason)] = count;
  }
  Json failures = Json::array();
  for (const auto& [code, failure] : tally.failures) {
    failures.push_back({{"code", absl::StatusCodeToString(code)},
                        {"count", failure.count},
                        {"example", failure.example}});
  }
  Json part = {
      {"requests", tally.requests},
      {"ok", tally.ok},
      {"failed", tally.failed()},
      {"requests_per_s", report.PerSecond(result.window.ok)},
      {"steps_per_s", report.PerSecond(result.window.predictions)},
      {"goodput_per_s", report.flags.objective_ms > 0
                            ? Json(report.PerSecond(tally.good))
                            : Json()},
      {"good", report.flags.objective_ms > 0 ? Json(tally.good) : Json()},
      {"latency_ms", Times(tally.latency)},
      {"first_prediction_ms", Times(tally.first_prediction)},
      {"confidence_ms", Times(tally.confidence)},
      {"step_gap_ms", Times(tally.step_gap)},
      {"start_delay_ms",
       report.flags.rate > 0 ? Times(tally.start_delay) : Json()},
      {"stop_reasons", std::move(stops)},
      {"failures", std::move(failures)},
      {"labelled", tally.labelled},
      {"accuracy", Mean(tally.right, tally.labelled)},
      {"mean_steps", Mean(tally.steps, tally.ok)},
      {"mean_macs", Mean(tally.macs, tally.ok)},
  };
  return part;
}

Json BudgetJson(const v1::Budget& budget) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(budget, &text, options)
           .ok()) {
    return Json::object();
  }
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

Json Config(const Report& report) {
  const LoadtestFlags& flags = report.flags;
  const bool open = flags.rate > 0;
  return {
      {"server", flags.server},
      {"model", report.model.model_name()},
      {"model_version", report.model.model_version()},
      {"method", flags.method},
      {"loop", open ? "open" : "closed"},
      {"concurrency", open ? Json() : Json(flags.concurrency)},
      {"rate", open ? Json(flags.rate) : Json()},
      {"arrival", open ? Json(flags.arrival) : Json()},
      {"max_in_flight", open ? Json(flags.max_in_flight) : Json()},
      {"duration", flags.requests > 0 ? Json() : Json(flags.duration)},
      {"requests", flags.requests > 0 ? Json(flags.requests) : Json()},
      {"warmup", flags.warmup},
      {"drain", flags.drain},
      {"connections", flags.connections},
      {"sessions",
       flags.method == "interactive" ? Json(flags.sessions) : Json()},
      {"deadline", TextOrNull(flags.deadline)},
      {"inputs", report.inputs},
      {"dataset_dir", flags.random_inputs ? Json() : Json(flags.dataset_dir)},
      {"random_inputs", flags.random_inputs},
      {"every", flags.every},
      {"delivery", flags.delivery},
      {"top_k", flags.top_k},
      {"seed", flags.seed},
      {"confidence", flags.confidence},
      {"objective_ms",
       flags.objective_ms > 0 ? Json(flags.objective_ms) : Json()},
      {"metrics", TextOrNull(flags.metrics)},
  };
}

Json UsageJson(const Usage& usage) {
  return {{"cpu_s", OrNull(usage.cpu_seconds)},
          {"cores", OrNull(usage.cores)},
          {"resident_bytes_before", OrNull(usage.resident_bytes_before)},
          {"resident_bytes_after", OrNull(usage.resident_bytes_after)}};
}

}  // namespace

std::string ReportJson(const Report& report) {
  const Runner::State& state = report.state;
  const bool open = report.flags.rate > 0;
  Json classes = Json::array();
  for (size_t i = 0; i < report.classes.size(); ++i) {
    Json one = {{"name", report.classes[i].name},
                {"share", report.classes[i].share},
                {"budget", BudgetJson(report.classes[i].budget)}};
    one.update(Part(report, report.results[i]));
    classes.push_back(std::move(one));
  }
  Json client = UsageJson(report.client);
  client["usable_cores"] = report.client_cores;
  const Json json = {
      {"program", "mre-loadtest"},
      {"version", kVersion},
      {"config", Config(report)},
      {"window_s", report.window_seconds},
      {"interrupted", report.interrupted},
      {"connection_lost", report.connection_lost},
      {"due", state.started + state.not_started},
      {"not_started", state.not_started},
      {"held_back", open ? Json(state.held_back) : Json()},
      {"cancelled", state.cancelled},
      {"all", Part(report, report.all)},
      {"classes", std::move(classes)},
      {"server",
       report.server.has_value() ? UsageJson(*report.server) : Json()},
      {"client", std::move(client)},
      {"warnings", Warnings(report)},
  };
  // What is no UTF-8 in a server's message must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mre
