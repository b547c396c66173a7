#include "model/train/commands.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "model/base/status_macros.h"
#include "model/engine/cost.h"
#include "model/io/checkpoint.h"
#include "model/math/parallel.h"
#include "model/train/dataset.h"
#include "model/train/evaluate.h"
#include "model/train/trainer.h"

namespace mre {
namespace {

// So that a run does not find out after its first epoch that it cannot save.
absl::Status MakeDirectoryOf(const std::string& file) {
  const auto directory = std::filesystem::path(file).parent_path();
  std::error_code error;
  if (!directory.empty()) {
    std::filesystem::create_directories(directory, error);
  }
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot make the directory ", directory.string(), ": ", error.message()));
}

constexpr char kStateSuffix[] = ".state";

void Print(absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void UseThreads(int threads) {
  SetThreads(threads > 0 ? threads : AvailableThreads());
}

// The command that goes on with a stopped run, as far as it differs from
// nothing.
std::string ResumeCommand(const FitOptions& options, const std::string& state) {
  std::string text = absl::StrCat("mre-train fit --resume=", state);
  if (absl::StrCat(options.out, kStateSuffix) != state) {
    absl::StrAppend(&text, " --out=", options.out);
  }
  if (!options.data_dir.empty()) {
    absl::StrAppend(&text, " --data_dir=", options.data_dir);
  }
  if (!options.log.empty()) absl::StrAppend(&text, " --log=", options.log);
  if (options.threads > 0) {
    absl::StrAppend(&text, " --threads=", options.threads);
  }
  if (options.save_every > 0) {
    absl::StrAppend(&text, " --save_every=", options.save_every);
  }
  return text;
}

// The recipe of the saved run, everything else as given now.
absl::StatusOr<FitOptions> ResumedOptions(const FitCommand& command,
                                          const FitOptions& saved) {
  RETURN_IF_ERROR(CheckSameRecipe(saved, command.options, command.given));
  FitOptions options = saved;
  options.data_dir = command.options.data_dir;
  options.out = command.options.out;
  options.log = command.options.log;
  options.threads = command.options.threads;
  options.save_every = command.options.save_every;
  options.log_every = command.options.log_every;
  if (options.out.empty()) {
    absl::string_view out = command.resume;
    if (!absl::ConsumeSuffix(&out, kStateSuffix)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--out: expected a file; --resume=", command.resume,
                       " does not end in ", kStateSuffix));
    }
    options.out = std::string(out);
  }
  return options;
}

// The images that accuracies are measured on, taken out of `data`.
absl::StatusOr<Split> TakeEvaluated(int64_t validation, Dataset& data) {
  if (validation > 0) return TakeValidation(validation, data);
  return std::move(data.test);
}

const char* EvaluatedName(int64_t validation) {
  return validation > 0 ? "validation" : "test";
}

}  // namespace

absl::Status RunFit(const FitCommand& command, const std::atomic<bool>& stop) {
  FitOptions options = command.options;
  SavedRun saved;
  const bool resume = !command.resume.empty();
  if (resume) {
    ASSIGN_OR_RETURN(saved, LoadRun(command.resume));
    ASSIGN_OR_RETURN(options, ResumedOptions(command, saved.options));
  }
  if (options.out.empty()) {
    return absl::InvalidArgumentError(
        "--out: expected the file to write the checkpoint to");
  }
  RETURN_IF_ERROR(Validate(options));
  RETURN_IF_ERROR(MakeDirectoryOf(options.out));
  if (!options.log.empty()) RETURN_IF_ERROR(MakeDirectoryOf(options.log));
  UseThreads(options.threads);
  ASSIGN_OR_RETURN(Dataset data,
                   LoadDataset(options.dataset, options.data_dir));
  ASSIGN_OR_RETURN(const Split evaluated,
                   TakeEvaluated(options.validation, data));
  Limit(options.limit_train, data.image_size(), data.train);
  const std::string state_path = absl::StrCat(options.out, kStateSuffix);
  RunLog log;
  if (!options.log.empty()) {
    ASSIGN_OR_RETURN(log, resume ? RunLog::Resume(options.log, saved.state.step)
                                 : RunLog::Create(options.log));
  }
  ProgressBar progress({.bar = isatty(STDERR_FILENO) == 1});
  Trainer trainer(options, data, evaluated, EvaluatedName(options.validation),
                  state_path, log, progress);
  if (resume) RETURN_IF_ERROR(trainer.Resume(std::move(saved)));
  ASSIGN_OR_RETURN(const bool finished, trainer.Run(stop));
  if (!finished) {
    return absl::CancelledError(
        absl::StrCat("stopped after step ", trainer.step(),
                     "; go on with: ", ResumeCommand(options, state_path)));
  }
  RETURN_IF_ERROR(SaveCheckpoint(trainer.Result(), options.out));
  Print(FormatTable(trainer.evaluation()));
  Print(absl::StrCat("wrote ", options.out, "\n"));
  return absl::OkStatus();
}

absl::Status RunEval(const EvalCommand& command) {
  UseThreads(command.threads);
  ASSIGN_OR_RETURN(const Model model, LoadCheckpoint(command.checkpoint));
  const int64_t experts = model.config.total_experts();
  const int64_t steps = command.steps > 0 ? command.steps : experts;
  if (steps > experts) {
    return absl::InvalidArgumentError(
        absl::StrCat("--steps: expected at most ", experts,
                     ", the model's experts, got ", steps));
  }
  ASSIGN_OR_RETURN(Dataset data,
                   LoadDataset(command.dataset, command.data_dir));
  if (data.shape != model.config.input.shape ||
      data.classes.size() != model.config.classes.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--dataset: the model expects inputs of ",
        absl::StrJoin(model.config.input.shape, "x"), " and ",
        model.config.classes.size(), " classes, ", data.name, " has ",
        absl::StrJoin(data.shape, "x"), " and ", data.classes.size()));
  }
  ASSIGN_OR_RETURN(const Split split, TakeEvaluated(command.validation, data));
  const Evaluation evaluation = Evaluate(model, split, steps);
  Print(command.json ? FormatJson(evaluation) : FormatTable(evaluation));
  return absl::OkStatus();
}

absl::Status RunInfo(const std::string& checkpoint) {
  ASSIGN_OR_RETURN(const Model model, LoadCheckpoint(checkpoint));
  const ModelConfig& config = model.config;
  const Layout layout(config);
  const Cost cost = CostOf(config);
  auto json = nlohmann::ordered_json::parse(FormatConfig(config));
  const auto training = json["training"];
  json.erase("training");
  Print(absl::StrCat("config      ", json.dump(), "\n"));
  Print(absl::StrCat("parameters  ", layout.total, "\n"));
  Print(absl::StrCat("MACs        stem ", cost.stem, ", each expert ",
                     cost.expert, ", head ", cost.head, ", all experts ",
                     cost.After(config.total_experts()), "\n"));
  for (const ParamSpec& spec : layout.specs) {
    Print(absl::StrFormat("tensor      %-32s [%s]\n", spec.name,
                          absl::StrJoin(spec.shape, ",")));
  }
  Print(absl::StrCat("training    ", training.dump(2), "\n"));
  return absl::OkStatus();
}

}  // namespace mre
