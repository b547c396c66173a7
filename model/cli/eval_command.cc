#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/cli/commands.h"
#include "model/data/dataset.h"
#include "model/data/load_dataset.h"
#include "model/engine/cost.h"
#include "model/eval/eval_report.h"
#include "model/io/checkpoint.h"
#include "model/math/parallel.h"
#include "model/net/router_noise.h"

namespace mre {
namespace {

absl::Status CheckShare(absl::string_view flag, float value) {
  if (value >= 0 && value <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": expected a number in [0, 1], got ", value));
}

absl::Status CheckCount(absl::string_view flag, int64_t value) {
  if (value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": expected a number of at least 0, got ", value));
}

absl::Status CheckFlags(const EvalCommand& command) {
  RETURN_IF_ERROR(CheckShare("--min_confidence", command.stop.min_confidence));
  RETURN_IF_ERROR(
      CheckShare("--min_ray_coverage", command.stop.min_ray_coverage));
  if (!(command.router_noise >= 0 && command.router_noise <= 100)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--router_noise: expected a number in [0, 100], got ",
                     command.router_noise));
  }
  RETURN_IF_ERROR(CheckCount("--steps", command.steps));
  RETURN_IF_ERROR(CheckCount("--validation", command.validation));
  if (!command.reference.empty() && !HasStopRule(command.stop)) {
    return absl::InvalidArgumentError(
        "--reference: expected a stop rule with it (--min_confidence, "
        "--min_ray_coverage or --stable_steps)");
  }
  return absl::OkStatus();
}

absl::Status CheckFits(absl::string_view flag, const ModelConfig& config,
                       const Dataset& data) {
  if (data.shape != config.input.shape ||
      data.classes.size() != config.classes.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        flag, ": the model expects inputs of ",
        absl::StrJoin(config.input.shape, "x"), " and ", config.classes.size(),
        " classes, ", data.name, " has ", absl::StrJoin(data.shape, "x"),
        " and ", data.classes.size()));
  }
  if (data.classes == config.classes) return absl::OkStatus();
  if (data.text) {
    return absl::InvalidArgumentError(
        "--data_dir: expected a text of the characters that are the model's "
        "classes, got one of others");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      flag, ": the model's classes are ", absl::StrJoin(config.classes, ", "),
      "; those of ", data.name, " are ", absl::StrJoin(data.classes, ", ")));
}

// The data set that the training record names; empty: none.
std::string TrainedOn(const ModelConfig& config) {
  const auto record = nlohmann::json::parse(config.training, nullptr,
                                            /*allow_exceptions=*/false);
  if (!record.is_object()) return "";
  const auto set = record.find("dataset");
  return set != record.end() && set->is_string() ? set->get<std::string>() : "";
}

// What the model is evaluated on.
absl::StatusOr<Dataset> LoadData(const EvalCommand& command,
                                 const ModelConfig& config) {
  std::string name = command.dataset;
  if (name.empty()) name = TrainedOn(config);
  if (name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--dataset: expected one of ", DatasetNames(),
                     "; the checkpoint does not say what it was trained on"));
  }
  // A model of text says how much it reads.
  return LoadDataset(name, command.data_dir,
                     config.text() ? config.input.size() : kDefaultWindow);
}

// The losses of the reference at its end; none without one.
absl::StatusOr<std::vector<double>> Difficulty(const EvalCommand& command,
                                               const Dataset& data,
                                               const Split& split) {
  if (command.reference.empty()) return std::vector<double>();
  ASSIGN_OR_RETURN(const Model reference, LoadCheckpoint(command.reference));
  RETURN_IF_ERROR(CheckFits("--reference", reference.config, data));
  return Observe(reference, split, {.steps = MaxSteps(reference.config)})
      .last_loss();
}

}  // namespace

absl::Status RunEval(const EvalCommand& command) {
  RETURN_IF_ERROR(CheckFlags(command));
  RETURN_IF_ERROR(UseThreads(command.threads));
  ASSIGN_OR_RETURN(const Model model, LoadCheckpoint(command.checkpoint));
  if (command.router_noise > 0 && !FeelsRouterNoise(model.config.kind)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--router_noise: expected 0 for a model of the kind ",
                     KindName(model.config.kind), ", which has no router"));
  }
  const int64_t most = MaxSteps(model.config);
  const int64_t steps = command.steps > 0 ? command.steps : most;
  if (steps > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("--steps: expected at most ", most,
                     ", all that the model has, got ", steps));
  }
  ASSIGN_OR_RETURN(Dataset data, LoadData(command, model.config));
  RETURN_IF_ERROR(CheckFits("--dataset", model.config, data));
  Split split = std::move(data.test);
  if (command.validation > 0) {
    ASSIGN_OR_RETURN(split, TakeValidation(command.validation, data));
  }
  ASSIGN_OR_RETURN(const std::vector<double> difficulty,
                   Difficulty(command, data, split));
  const EvalReport report = MakeReport(
      model, split, steps, command.router_noise, command.stop, difficulty);
  const std::string text = command.json ? absl::StrCat(FormatJson(report), "\n")
                                        : FormatTable(report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return absl::OkStatus();
}

}  // namespace mre
