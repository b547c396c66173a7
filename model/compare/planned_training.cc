#include "model/compare/planned_training.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/peak_memory.h"
#include "model/base/status_macros.h"
#include "model/eval/outcomes.h"
#include "model/io/checkpoint.h"
#include "model/net/router_noise.h"
#include "model/train/progress.h"
#include "model/train/recipe.h"
#include "model/train/run_log.h"
#include "model/train/train_state.h"
#include "model/train/trainer.h"

namespace mre {
namespace {

FitOptions WithSeed(FitOptions options, uint64_t seed) {
  options.seed = seed;
  return options;
}

}  // namespace

PlannedTraining::PlannedTraining(const Plan& plan, const PlannedRun& run,
                                 uint64_t seed, const std::string& root)
    : plan_(plan),
      run_(run),
      options_(WithSeed(run.options, seed)),
      directory_(absl::StrCat(root, "/", run.name, "/", seed)) {}

std::string PlannedTraining::title() const {
  return absl::StrCat(run_.name, ", seed ", options_.seed);
}

absl::Status PlannedTraining::CheckRecipe() const {
  const std::string path = directory_ + "/recipe.json";
  const absl::StatusOr<std::string> recipe = ReadFile(path);
  if (absl::IsNotFound(recipe.status())) return absl::OkStatus();
  RETURN_IF_ERROR(recipe.status());
  const std::string wanted = FormatRecipe(options_);
  if (*recipe == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path, ": the plan has another recipe for the run \"", run_.name,
      "\"; give it another name, or remove ", directory_,
      " to train it anew.\n  there: ", *recipe, "\n  plan:  ", wanted));
}

absl::Status PlannedTraining::CheckResult(const RunResult& result) const {
  const auto check = [&](const char* name, double was, double planned) {
    if (was == planned) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "it was evaluated with ", name, " ", was, ", the plan says ", planned,
        "; restore it, or remove ", directory_, " to train it anew"));
  };
  const EvalReport& report = result.report;
  // Where there is no router there is no noise, whatever the plan says.
  if (FeelsRouterNoise(*ParseKind(options_.kind))) {
    RETURN_IF_ERROR(check("router_noise",
                          report.noise ? report.noise->scale : 0,
                          plan_.router_noise));
  }
  return check("min_confidence",
               report.stop ? report.stop->budget.min_confidence : 0,
               static_cast<float>(plan_.min_confidence));
}

absl::StatusOr<std::optional<RunResult>> PlannedTraining::Done() const {
  RETURN_IF_ERROR(CheckRecipe());
  const std::string path = directory_ + "/result.json";
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::optional<RunResult>();
  RETURN_IF_ERROR(text.status());
  absl::StatusOr<RunResult> result = ParseResult(*text);
  if (!result.ok()) return AtPath(path, result.status());
  const absl::Status same = CheckResult(*result);
  if (!same.ok()) return AtPath(path, same);
  if (result->run != run_.name || result->seed != options_.seed) {
    return AtPath(path, absl::FailedPreconditionError(
                            absl::StrCat("expected the result of ", title())));
  }
  return std::optional<RunResult>(*std::move(result));
}

EvalReport PlannedTraining::Report(const Model& model,
                                   const Split& split) const {
  Budget stop;
  stop.min_confidence = static_cast<float>(plan_.min_confidence);
  return MakeReport(model, split, options_.max_steps, plan_.router_noise, stop,
                    {});
}

absl::StatusOr<std::optional<RunResult>> PlannedTraining::Train(
    const TrainingData& data, const std::atomic<bool>& stop) {
  RETURN_IF_ERROR(MakeDirectories(directory_));
  const std::string recipe = FormatRecipe(options_);
  RETURN_IF_ERROR(WriteFileAtomically(directory_ + "/recipe.json", recipe));
  const std::string state_path = checkpoint() + ".state";
  const std::string log_path = directory_ + "/log.jsonl";
  absl::StatusOr<SavedRun> saved = LoadRun(state_path);
  if (!saved.ok() && !absl::IsNotFound(saved.status())) return saved.status();
  if (saved.ok() && FormatRecipe(saved->options) != recipe) {
    return absl::FailedPreconditionError(
        absl::StrCat(state_path, ": it was saved with another recipe; remove ",
                     directory_, " to train it anew"));
  }
  RunLog log;
  ASSIGN_OR_RETURN(log, saved.ok() ? RunLog::Resume(log_path, saved->state.step)
                                   : RunLog::Create(log_path));
  ResetPeakMemory();
  ProgressBar progress({.bar = isatty(STDERR_FILENO) == 1});
  Trainer trainer(options_, data.data, data.evaluated, data.name, state_path,
                  log, progress);
  if (saved.ok()) {
    const absl::Status resumed = trainer.Resume(*std::move(saved));
    if (!resumed.ok()) return AtPath(state_path, resumed);
  }
  ASSIGN_OR_RETURN(const bool finished, trainer.Run(stop));
  if (!finished) return std::optional<RunResult>();

  const Model model = trainer.Result();
  RETURN_IF_ERROR(SaveCheckpoint(model, checkpoint()));
  RunResult result;
  result.run = run_.name;
  result.seed = options_.seed;
  result.recipe = recipe;
  result.data =
      absl::StrCat(absl::Hex(Fingerprint(data.data.train), absl::kZeroPad16));
  result.parameters = static_cast<int64_t>(model.params.size());
  ASSIGN_OR_RETURN(const std::string lines, ReadFile(log_path));
  ASSIGN_OR_RETURN(result.epochs, EpochsOfLog(lines));
  result.peak_memory = PeakMemory();  // evaluating is not training
  const absl::Time begin = absl::Now();
  result.report = Report(model, data.evaluated);
  result.evaluation_seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  result.seconds = result.epochs.empty() ? 0 : result.epochs.back().seconds;
  RETURN_IF_ERROR(WriteFileAtomically(directory_ + "/result.json",
                                      FormatResult(result) + "\n"));
  std::remove(state_path.c_str());
  return std::optional<RunResult>(std::move(result));
}

absl::Status PlannedTraining::RemoveCheckpoint() const {
  std::error_code error;
  std::filesystem::remove(checkpoint(), error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("remove ", checkpoint(), ": ", error.message()));
}

}  // namespace mre
