// mre-train: trains, evaluates, compares and describes models. Exit codes: 0
// done, 1 failed or stopped, 2 wrong usage.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/base/stop_signals.h"
#include "model/base/version.h"
#include "model/cli/commands.h"
#include "model/cli/shell_word.h"
#include "model/compare/compare.h"
#include "model/data/load_dataset.h"
#include "model/net/config.h"

namespace mre {
namespace {

// Set by the first SIGINT or SIGTERM. A second one kills as usual.
std::atomic<bool> stop_requested = false;

// They stay blocked on all threads, for oneDNN's products must not be
// interrupted: their code moves the stack pointer away from the stack, and a
// signal's frame would then be written over whatever it points to.
void StopOnSignals() {
  TakeStopSignals([](int nth, int signal) {
    stop_requested.store(true, std::memory_order_relaxed);
    if (nth > 1) std::_Exit(128 + signal);
  });
}

// Buffers that come and go with every batch stay with the process, in place of
// being given back and zeroed again by the kernel each time.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

void AddFitFlags(CLI::App& fit, FitCommand& command) {
  FitOptions& o = command.options;
  fit.add_option("--out", o.out,
                 "checkpoint to write, such as my-model/1/model.safetensors");
  fit.add_flag("--overwrite", command.overwrite,
               "replace a checkpoint, and a run's state, that are there");
  fit.add_option("--data_dir", o.data_dir,
                 "directory of the data set's files, or a text's file "
                 "(default: where the system's package puts them)");
  fit.add_option("--log", o.log,
                 "write a JSON object a line to this file; give it again when "
                 "resuming");
  fit.add_option("--resume", command.resume,
                 "go on from the last state that a run wrote, OUT.state");
  fit.add_option("--threads", o.threads,
                 "0: all; the result does not depend on it")
      ->capture_default_str();
  fit.add_option("--save_every", o.save_every,
                 "steps between states (0: only at the end of each epoch)")
      ->capture_default_str();
  fit.add_option("--log_every", o.log_every, "steps between lines of the log")
      ->capture_default_str();
  VisitRecipe(o, [&](const char* name, auto& field, const char* help) {
    fit.add_option(std::string("--") + name, field, help)
        ->capture_default_str();
  });
  fit.get_option("--dataset")
      ->description("data set to learn: " + DatasetNames());
  fit.get_option("--kind")->description("kind of model: " + KindNames());
}

void AddEvalFlags(CLI::App& eval, EvalCommand& command) {
  eval.add_option("FILE,--checkpoint", command.checkpoint, "model.safetensors")
      ->required();
  eval.add_option("--dataset", command.dataset,
                  DatasetNames() + " (default: the one it was trained on)");
  eval.add_option("--data_dir", command.data_dir,
                  "directory of the data set's files, or a text's file");
  eval.add_option("--steps", command.steps, "steps to run (0: all)")
      ->capture_default_str();
  eval.add_option("--validation", command.validation,
                  "evaluate on the last N training images instead")
      ->capture_default_str();
  eval.add_option("--router_noise", command.router_noise,
                  "evaluate again with Gaussian noise on the router's logits, "
                  "its deviation this times theirs (0: do not)")
      ->capture_default_str();
  eval.add_option("--min_confidence", command.stop.min_confidence,
                  "simulate a rule that stops an input at this confidence "
                  "(0: none)")
      ->capture_default_str();
  eval.add_option("--min_ray_coverage", command.stop.min_ray_coverage,
                  "... or at this ray coverage (0: none)")
      ->capture_default_str();
  eval.add_option("--stable_steps", command.stop.stable_steps,
                  "... or when the class has stayed the same for this many "
                  "steps (0: none)")
      ->capture_default_str();
  eval.add_option("--reference", command.reference,
                  "another checkpoint, whose loss says how difficult an input "
                  "is: correlates it with the steps that the rule uses");
  eval.add_flag("--json", command.json, "print one JSON object");
  eval.add_option("--threads", command.threads, "0: all")
      ->capture_default_str();
}

void AddCompareFlags(CLI::App& compare, CompareCommand& command,
                     std::vector<std::string>& data_dirs) {
  compare.add_option("PLAN,--plan", command.plan, "the plan, a JSON file")
      ->required();
  compare
      .add_option("--out", command.out,
                  "directory of what is trained, the report and its plots")
      ->required();
  compare.add_option("--data_dir", data_dirs,
                     "DATASET=DIR, where the files of a data set are; once for "
                     "each that its system's package does not install");
  compare.add_option("--only", command.only,
                     "train this run only; the report has what is there");
  compare.add_flag("--keep_models", command.keep_models,
                   "keep every checkpoint, not only the best seed's of a run");
  compare
      .add_option("--threads", command.threads,
                  "0: all; the results do not depend on it")
      ->capture_default_str();
}

// "NAME=DIR" each.
absl::Status ParseDataDirs(const std::vector<std::string>& flags,
                           DataDirs& dirs) {
  for (const std::string& flag : flags) {
    const size_t equals = flag.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return absl::InvalidArgumentError(
          "--data_dir: expected DATASET=DIR, got \"" + flag + "\"");
    }
    dirs[flag.substr(0, equals)] = flag.substr(equals + 1);
  }
  return absl::OkStatus();
}

// As it could be typed again.
std::string CommandLine(int argc, char** argv) {
  std::string line = "mre-train";
  for (int i = 1; i < argc; ++i) line += " " + ShellWord(argv[i]);
  return line;
}

void AddInfoFlags(CLI::App& info, InfoCommand& command) {
  info.add_option("FILE,--checkpoint", command.checkpoint, "model.safetensors")
      ->required();
  info.add_flag("--tensors", command.tensors, "list the tensors too");
}

void AddConvertFlags(CLI::App& convert, ConvertCommand& command) {
  convert
      .add_option("FILE,--checkpoint", command.checkpoint, "model.safetensors")
      ->required();
  convert.add_option("OUT,--out", command.out, "checkpoint to write")
      ->required();
  convert
      .add_option("--dtype", command.dtype,
                  "bf16 halves the file: it rounds the matrices of stem, "
                  "experts and head; or f32")
      ->capture_default_str();
  convert.add_option("--max_steps", command.max_steps,
                     "experts that a row may run at most, what the model was "
                     "trained to (mre; 0: as it is)");
  convert.add_flag("--overwrite", command.overwrite, "replace OUT");
}

// What CLI11 found wrong. An argument that it does not know says more than what
// is missing because of it.
std::string FailureMessage(const CLI::App* app, const CLI::Error& error) {
  const auto unknown = app->remaining(/*recurse=*/true);
  std::string text = error.what();
  if (!unknown.empty()) {
    text = app->get_subcommands().empty() ? "command" : "argument";
    text = "unknown " + text + " \"" + unknown.front() + "\"";
  }
  return "mre-train: " + text + "\nRun with --help for more information.\n";
}

// Names of the flags that the user gave, without their dashes.
std::set<std::string> GivenFlags(const CLI::App& command) {
  std::set<std::string> given;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() > 0) given.insert(option->get_name().substr(2));
  }
  return given;
}

int Main(int argc, char** argv) {
  KeepFreedMemory();
  CLI::App app("Trains Mixtures of Raytraced Experts.", "mre-train");
  app.require_subcommand(1);
  app.failure_message(FailureMessage);
  app.set_version_flag("--version", std::string("mre-train ") + kVersion);
  CLI::App* fit = app.add_subcommand("fit", "train a model");
  CLI::App* eval = app.add_subcommand("eval", "accuracy and cost a step");
  CLI::App* compare =
      app.add_subcommand("compare", "train and report all that a plan names");
  CLI::App* info = app.add_subcommand("info", "describe a checkpoint");
  CLI::App* convert =
      app.add_subcommand("convert", "store a checkpoint's numbers another way");
  FitCommand fit_command;
  AddFitFlags(*fit, fit_command);
  EvalCommand eval_command;
  AddEvalFlags(*eval, eval_command);
  CompareCommand compare_command;
  std::vector<std::string> data_dirs;
  AddCompareFlags(*compare, compare_command, data_dirs);
  compare_command.command_line = CommandLine(argc, argv);
  InfoCommand info_command;
  AddInfoFlags(*info, info_command);
  ConvertCommand convert_command;
  AddConvertFlags(*convert, convert_command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status status;
  if (fit->parsed()) {
    fit_command.given = GivenFlags(*fit);
    StopOnSignals();
    status = RunFit(fit_command, stop_requested);
  } else if (eval->parsed()) {
    status = RunEval(eval_command);
  } else if (compare->parsed()) {
    StopOnSignals();
    status = ParseDataDirs(data_dirs, compare_command.data_dirs);
    if (status.ok()) status = RunCompare(compare_command, stop_requested);
  } else if (info->parsed()) {
    status = RunInfo(info_command);
  } else {
    status = RunConvert(convert_command);
  }
  if (status.ok()) return 0;
  const std::string message(status.message());
  std::fprintf(stderr, "mre-train: %s\n", message.c_str());
  const bool usage =
      absl::IsInvalidArgument(status) && message.compare(0, 2, "--") == 0;
  return usage ? 2 : 1;
}

}  // namespace
}  // namespace mre

int main(int argc, char** argv) { return mre::Main(argc, argv); }
