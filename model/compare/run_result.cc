#include "model/compare/run_result.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/json_fields.h"
#include "model/base/status_macros.h"
#include "model/net/router_noise.h"

namespace mre {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kFormat = 1;

ordered_json EpochJson(const EpochResult& epoch) {
  return {{"epoch", epoch.epoch},
          {"loss", epoch.loss},
          {"accuracy", epoch.accuracy},
          {"least_use", epoch.least_use},
          {"seconds", epoch.seconds}};
}

absl::StatusOr<EpochResult> ParseEpoch(const ordered_json& json) {
  EpochResult epoch;
  JsonFields fields(json, "epoch");
  fields.Required("epoch", epoch.epoch);
  fields.Required("loss", epoch.loss);
  fields.Required("accuracy", epoch.accuracy);
  fields.Required("least_use", epoch.least_use);
  fields.Required("seconds", epoch.seconds);
  if (epoch.accuracy.empty()) fields.Fail("\"accuracy\": expected numbers");
  RETURN_IF_ERROR(fields.status());
  return epoch;
}

absl::StatusOr<StepQuality> ParseStep(const ordered_json& json) {
  StepQuality step;
  JsonFields fields(json, "step");
  fields.Required("accuracy", step.accuracy);
  fields.Required("loss", step.loss);
  fields.Required("macs", step.macs);
  fields.Required("parameters", step.parameters);
  fields.Required("coverage", step.coverage);
  fields.Required("confidence", step.confidence);
  RETURN_IF_ERROR(fields.status());
  return step;
}

void ReadQuality(JsonFields& fields, StopQuality& quality) {
  fields.Required("steps", quality.steps);
  fields.Required("macs", quality.macs);
  fields.Required("accuracy", quality.accuracy);
  fields.Required("loss", quality.loss);
}

absl::Status ReadPaths(const ordered_json& json, PathStatistics& paths) {
  JsonFields fields(json, "paths");
  fields.Required("length", paths.length);
  fields.Required("distinct", paths.paths);
  fields.Required("entropy_bits", paths.entropy);
  fields.Required("mutual_information_bits", paths.mutual_information);
  fields.Required("normalised_information", paths.normalised);
  return fields.status();
}

absl::Status ReadExperts(const ordered_json& json, ExpertCount& experts) {
  JsonFields fields(json, "experts_run");
  fields.Required("fewest", experts.fewest);
  fields.Required("mean", experts.mean);
  fields.Required("most", experts.most);
  fields.Required("steps", experts.steps);
  return fields.status();
}

absl::Status ReadNoise(const ordered_json& json, NoiseReport& noise) {
  JsonFields fields(json, "robustness");
  fields.Required("router_noise", noise.scale);
  fields.Required("accuracy", noise.accuracy);
  fields.Required("loss", noise.loss);
  if (noise.accuracy.empty() || noise.loss.empty()) {
    fields.Fail("expected numbers");
  }
  return fields.status();
}

absl::Status ReadStop(const ordered_json& json, StopReport& stop) {
  double confidence = 0;
  JsonFields fields(json, "stop");
  fields.Required("min_confidence", confidence);
  if (!(confidence >= 0 && confidence <= 1)) {
    fields.Fail("\"min_confidence\": expected a number in [0, 1]");
  }
  ReadQuality(fields, stop.quality);
  RETURN_IF_ERROR(fields.status());
  stop.budget.min_confidence = static_cast<float>(confidence);
  return absl::OkStatus();
}

absl::StatusOr<EvalReport> ParseReport(const ordered_json& json) {
  EvalReport report;
  Evaluation& evaluation = report.evaluation;
  JsonFields fields(json, "evaluation");
  fields.Required("inputs", evaluation.inputs);
  fields.Required("expert_use", evaluation.use);
  fields.Required("early_expert_use", evaluation.early_use);
  for (const ordered_json* item : fields.Items("steps")) {
    ASSIGN_OR_RETURN(const StepQuality step, ParseStep(*item));
    evaluation.steps.push_back(step);
  }
  for (const ordered_json* item : fields.Items("curve")) {
    CurvePoint point;
    JsonFields members(*item, "curve");
    members.Required("min_confidence", point.min_confidence);
    ReadQuality(members, point.quality);
    RETURN_IF_ERROR(members.status());
    evaluation.curve.push_back(point);
  }
  if (evaluation.steps.size() < 2 || evaluation.use.empty() ||
      evaluation.early_use.size() != evaluation.use.size()) {
    fields.Fail("expected at least two \"steps\" and one \"expert_use\"");
  }
  RETURN_IF_ERROR(fields.status());
  evaluation.load = LoadOf(evaluation.use);
  evaluation.early_load = LoadOf(evaluation.early_use);
  // Only a text's steps have a perplexity.
  const ordered_json& first = json["steps"][0];
  evaluation.text = first.contains("perplexity");
  if (const ordered_json* experts = fields.Find("experts_run")) {
    RETURN_IF_ERROR(ReadExperts(*experts, evaluation.experts));
  }
  if (const ordered_json* paths = fields.Find("paths")) {
    RETURN_IF_ERROR(ReadPaths(*paths, evaluation.paths));
  }
  if (const ordered_json* noise = fields.Find("robustness")) {
    RETURN_IF_ERROR(ReadNoise(*noise, report.noise.emplace()));
  }
  if (const ordered_json* stop = fields.Find("stop")) {
    RETURN_IF_ERROR(ReadStop(*stop, report.stop.emplace()));
  }
  return report;
}

}  // namespace

std::string FormatResult(const RunResult& result) {
  ordered_json json;
  json["format"] = kFormat;
  json["run"] = result.run;
  json["seed"] = result.seed;
  json["recipe"] = ordered_json::parse(result.recipe);
  json["data"] = result.data;
  json["parameters"] = result.parameters;
  json["epochs"] = ordered_json::array();
  for (const EpochResult& epoch : result.epochs) {
    json["epochs"].push_back(EpochJson(epoch));
  }
  json["evaluation"] = ordered_json::parse(FormatJson(result.report));
  json["seconds"] = result.seconds;
  json["evaluation_seconds"] = result.evaluation_seconds;
  json["peak_memory_bytes"] = result.peak_memory;
  return JsonText(json);
}

absl::StatusOr<RunResult> ParseResult(absl::string_view text) {
  ASSIGN_OR_RETURN(const ordered_json json, ParseJson(text, "result"));
  RunResult result;
  int64_t format = 0;
  JsonFields fields(json, "result");
  fields.Required("format", format);
  if (format != kFormat) fields.Fail("\"format\": expected ", kFormat);
  fields.Required("run", result.run);
  fields.Required("seed", result.seed);
  fields.Required("data", result.data);
  fields.Required("parameters", result.parameters);
  fields.Required("seconds", result.seconds);
  fields.Required("evaluation_seconds", result.evaluation_seconds);
  fields.Required("peak_memory_bytes", result.peak_memory);
  const ordered_json* recipe = fields.Find("recipe");
  const ordered_json* evaluation = fields.Find("evaluation");
  if (recipe == nullptr || evaluation == nullptr) {
    fields.Fail("\"recipe\" or \"evaluation\" is missing");
  }
  for (const ordered_json* item : fields.Items("epochs")) {
    ASSIGN_OR_RETURN(EpochResult epoch, ParseEpoch(*item));
    result.epochs.push_back(std::move(epoch));
  }
  if (result.epochs.empty()) fields.Fail("\"epochs\": expected at least one");
  RETURN_IF_ERROR(fields.status());
  result.recipe = JsonText(*recipe);
  ASSIGN_OR_RETURN(result.report, ParseReport(*evaluation));
  // Older versions told of noise that nothing was there to feel.
  const auto kind = recipe->find("kind");
  if (kind != recipe->end() && kind->is_string()) {
    const auto known = ParseKind(kind->get<std::string>());
    if (known.ok() && !FeelsRouterNoise(*known)) result.report.noise.reset();
  }
  return result;
}

absl::StatusOr<std::vector<EpochResult>> EpochsOfLog(absl::string_view log) {
  std::vector<EpochResult> epochs;
  for (const absl::string_view line :
       absl::StrSplit(log, '\n', absl::SkipEmpty())) {
    ASSIGN_OR_RETURN(const ordered_json json, ParseJson(line, "log"));
    std::string event;
    JsonFields fields(json, "log");
    fields.Optional("event", event);
    RETURN_IF_ERROR(fields.status());
    if (event != "epoch") continue;
    ASSIGN_OR_RETURN(EpochResult epoch, ParseEpoch(json));
    epochs.push_back(std::move(epoch));
  }
  return epochs;
}

int64_t EpochsTo(double target, const RunResult& result) {
  for (const EpochResult& epoch : result.epochs) {
    if (epoch.accuracy.back() >= target) return epoch.epoch;
  }
  return 0;
}

double BestAccuracy(const RunResult& result) {
  double best = 0;
  for (const EpochResult& epoch : result.epochs) {
    best = std::max(best, epoch.accuracy.back());
  }
  return best;
}

}  // namespace mre
