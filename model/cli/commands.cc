#include "model/cli/commands.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"
#include "model/base/peak_memory.h"
#include "model/base/status_macros.h"
#include "model/cli/shell_word.h"
#include "model/engine/cost.h"
#include "model/eval/eval_report.h"
#include "model/io/checkpoint.h"
#include "model/math/parallel.h"
#include "model/net/kinds.h"
#include "model/train/recipe.h"
#include "model/train/trainer.h"
#include "model/train/training_data.h"

namespace mre {
namespace {

// So that a run does not find out after its first epoch that it cannot save.
absl::Status MakeDirectoryOf(const std::string& file) {
  return MakeDirectories(std::filesystem::path(file).parent_path().string());
}

constexpr char kStateSuffix[] = ".state";

// Refuses, before any training, a file that could not be written in the end;
// and one that is there already, or whose run's state is, unless `replace`.
absl::Status CheckOut(const std::string& out, bool replace) {
  namespace fs = std::filesystem;
  const auto refuse = [](const auto&... why) {
    return absl::InvalidArgumentError(absl::StrCat("--out: ", why...));
  };
  std::error_code error;
  const fs::file_status file = fs::status(out, error);
  if (fs::is_directory(file) || fs::path(out).filename().empty()) {
    return refuse("expected a file, such as ",
                  (fs::path(out) / "model.safetensors").string(), ", but ", out,
                  " is a directory");
  }
  if (fs::exists(file) && !fs::is_regular_file(file)) {
    return refuse(out, " is not a regular file");
  }
  RETURN_IF_ERROR(MakeDirectoryOf(out));
  if (const absl::Status status = TryWriting(out); !status.ok()) {
    return refuse(status.message());
  }
  if (replace) return absl::OkStatus();
  const std::string state = absl::StrCat(out, kStateSuffix);
  const bool resumable = fs::exists(state, error);
  if (!fs::exists(file) && !resumable) return absl::OkStatus();
  return refuse(fs::exists(file) ? out : state,
                " is there already; --overwrite starts anew and replaces it",
                resumable ? absl::StrCat(", --resume=", state,
                                         " goes on with the run that made it")
                          : "");
}

// A state, or why there may be none.
absl::StatusOr<SavedRun> LoadState(const std::string& path) {
  absl::StatusOr<SavedRun> saved = LoadRun(path);
  if (!absl::IsNotFound(saved.status())) return saved;
  return absl::NotFoundError(absl::StrCat(
      "--resume: there is no ", path,
      ". A run writes its state at the end of each epoch, every N steps with "
      "--save_every=N, and when Ctrl-C or SIGTERM stops it. One that was "
      "killed before leaves none: start it anew, without --resume"));
}

// Something that the user may not expect, but that is no error.
template <typename... Texts>
void Note(const Texts&... texts) {
  std::fputs(absl::StrCat("mre-train: note: ", texts..., "\n").c_str(), stderr);
}

void Print(absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// The command that goes on with a stopped run, as far as it differs from
// nothing.
std::string ResumeCommand(const FitOptions& options, const std::string& state) {
  std::string text = "mre-train fit";
  const auto add = [&](absl::string_view flag, const auto& value) {
    absl::StrAppend(&text, " ",
                    ShellWord(absl::StrCat("--", flag, "=", value)));
  };
  const FitOptions usual;
  add("resume", state);
  if (absl::StrCat(options.out, kStateSuffix) != state) add("out", options.out);
  if (!options.data_dir.empty()) add("data_dir", options.data_dir);
  if (!options.log.empty()) add("log", options.log);
  if (options.threads != usual.threads) add("threads", options.threads);
  if (options.save_every != usual.save_every) {
    add("save_every", options.save_every);
  }
  if (options.log_every != usual.log_every) add("log_every", options.log_every);
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

// A JSON object under a title, a line each member.
void PrintMembers(absl::string_view title, const nlohmann::ordered_json& json) {
  Print(absl::StrCat(title, "\n"));
  for (const auto& [name, value] : json.items()) {
    Print(absl::StrFormat("  %-16s %s\n", name, value.dump()));
  }
}

}  // namespace

absl::Status RunFit(const FitCommand& command, const std::atomic<bool>& stop) {
  FitOptions options = command.options;
  SavedRun saved;
  const bool resume = !command.resume.empty();
  if (resume) {
    ASSIGN_OR_RETURN(saved, LoadState(command.resume));
    ASSIGN_OR_RETURN(options, ResumedOptions(command, saved.options));
  }
  if (options.out.empty()) {
    return absl::InvalidArgumentError(
        "--out: expected the file to write the checkpoint to");
  }
  FillDefaults(options);
  RETURN_IF_ERROR(Validate(options));
  RETURN_IF_ERROR(UseThreads(options.threads));
  RETURN_IF_ERROR(CheckOut(options.out, resume || command.overwrite));
  if (!options.log.empty()) {
    RETURN_IF_ERROR(MakeDirectoryOf(options.log));
  } else if (resume) {
    Note("no --log: a log that the run had before stays unfinished");
  }
  ASSIGN_OR_RETURN(const TrainingData data, LoadTrainingData(options));
  RETURN_IF_ERROR(CheckModelFits(options, data.data));
  if (options.limit_train > data.offered) {
    Note("--limit_train=", options.limit_train, ": there are ", data.offered,
         " training images; all of them are used");
  }
  const std::string state_path = absl::StrCat(options.out, kStateSuffix);
  // One that is replaced must not be taken for this run's.
  if (!resume) std::remove(state_path.c_str());
  RunLog log;
  if (!options.log.empty()) {
    ASSIGN_OR_RETURN(log, resume ? RunLog::Resume(options.log, saved.state.step)
                                 : RunLog::Create(options.log));
  }
  ProgressBar progress({.bar = isatty(STDERR_FILENO) == 1});
  Trainer trainer(options, data.data, data.evaluated, data.name, state_path,
                  log, progress);
  if (resume) RETURN_IF_ERROR(trainer.Resume(std::move(saved)));
  ASSIGN_OR_RETURN(const bool finished, trainer.Run(stop));
  if (!finished) {
    return absl::CancelledError(
        absl::StrCat("stopped after step ", trainer.step(),
                     "; go on with: ", ResumeCommand(options, state_path)));
  }
  RETURN_IF_ERROR(SaveCheckpoint(trainer.Result(), options.out));
  Print(FormatTable(trainer.evaluation()));
  Print(absl::StrFormat("wrote %s (%.0f MB of memory at the peak)\n",
                        options.out, static_cast<double>(PeakMemory()) / 1e6));
  return absl::OkStatus();
}

absl::Status RunInfo(const InfoCommand& command) {
  ASSIGN_OR_RETURN(const Model model, LoadCheckpoint(command.checkpoint));
  const ModelConfig& config = model.config;
  const ParamTable table = ParamsOf(config);
  const Cost cost = CostOf(config);
  auto json = nlohmann::ordered_json::parse(FormatConfig(config));
  const auto training = json["training"];
  json.erase("training");
  PrintMembers("config", json);
  Print(absl::StrCat("parameters  ", table.total, "\n"));
  Print(absl::StrCat("MACs        stem ", cost.stem, ", each expert ",
                     cost.each.empty() ? "" : "at most ", cost.expert,
                     ", head ", cost.head, ", all experts ",
                     cost.After(MaxSteps(config)), "\n"));
  PrintMembers("training", training);
  if (!command.tensors) return absl::OkStatus();
  Print("tensors\n");
  for (const ParamSpec& spec : table.specs) {
    Print(absl::StrFormat("  %-32s [%s]\n", spec.name,
                          absl::StrJoin(spec.shape, ",")));
  }
  return absl::OkStatus();
}

absl::Status RunConvert(const ConvertCommand& command) {
  if (command.dtype != "f32" && command.dtype != "bf16") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--dtype: expected f32 or bf16, got \"", command.dtype, "\""));
  }
  RETURN_IF_ERROR(CheckOut(command.out, command.overwrite));
  ASSIGN_OR_RETURN(Model model, LoadCheckpoint(command.checkpoint));
  if (command.max_steps != 0) {
    const int64_t most = model.config.total_experts();
    if (model.config.kind != Kind::kMre || command.max_steps < 0 ||
        command.max_steps > most) {
      return absl::InvalidArgumentError(
          absl::StrCat("--max_steps: expected, for an mre only, 1 to ", most,
                       " experts, got ", command.max_steps));
    }
    model.config.max_steps = command.max_steps;
  }
  RETURN_IF_ERROR(
      SaveCheckpoint(model, command.out,
                     command.dtype == "bf16" ? Storage::kBf16 : Storage::kF32));
  Print(absl::StrCat("wrote ", command.out, "\n"));
  return absl::OkStatus();
}

}  // namespace mre
