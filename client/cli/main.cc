// mre: the command line client. The exceptions that CLI11 throws stay in
// this file.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "client/cli/commands.h"
#include "client/cli/flags.h"
#include "client/console/request_flags.h"
#include "client/console/usage.h"
#include "model/base/lock_order_checks.h"
#include "model/base/version.h"

namespace {

constexpr char kExamples[] = R"(Examples:
  mre models
  mre health --server=10.0.0.7:8001
  mre stream --model fashion-mnist --idx t10k-images-idx3-ubyte.gz --index 7
  mre stream --model fashion-mnist --idx t10k-images-idx3-ubyte.gz --count 20 \
      --labels t10k-labels-idx1-ubyte.gz --min_confidence 0.9
  mre predict --model fashion-mnist --image shoe.png --max_time 5ms
  mre stream --model shakespeare --text "To be, or not to b"
  mre stream --model cifar10 --raw input.bin --json | jq .predictions[].step

--model may be left out where the server has one model only.

Exit codes: 0 ok; 1 the call failed (health: not serving); 2 bad usage, or input
that cannot be read or does not fit the model.
)";

constexpr char kInput[] =
    "Input (exactly one of --idx, --image, --raw, --text)";
constexpr char kOutput[] = "Output";
constexpr char kOptions[] = "Options";  // CLI11's own

void AddInput(CLI::App& app, mre::InputFlags& input) {
  auto* idx =
      app.add_option("--idx", input.idx, "IDX file of images, gzipped or not")
          ->type_name("FILE")
          ->group(kInput);
  app.add_option("--image", input.image,
                 "PNG image of the model's height and width")
      ->type_name("FILE")
      ->group(kInput);
  app.add_option("--raw", input.raw, "The bytes of one input, one byte a value")
      ->type_name("FILE")
      ->group(kInput);
  app.add_option("--text", input.text,
                 "Ask a model of text what comes next; it reads the last "
                 "characters, after spaces if they are too few")
      ->type_name("TEXT")
      ->group(kInput);
  app.add_option("--index", input.index,
                 "The image of the IDX file, from 0, or several: 3,50,42")
      ->type_name("N[,N...]")
      ->capture_default_str()
      ->needs(idx)
      ->group(kInput);
  app.add_option("--count", input.count,
                 "How many images of the IDX file, from one --index on")
      ->type_name("K")
      ->capture_default_str()
      ->needs(idx)
      ->group(kInput);
  app.add_option("--labels", input.labels,
                 "IDX file of the images' true classes, to compare with")
      ->type_name("FILE")
      ->needs(idx)
      ->group(kInput);
}

void AddPrediction(CLI::App& app, mre::Flags& flags) {
  AddInput(app, flags.input);
  mre::AddBudgetFlags(app, flags.budget);
  mre::AddModelFlags(app, flags, kOptions);
  auto* sampled =
      app.add_flag("--sampled", flags.sampled,
                   "Draw the order of experts instead of the likeliest one");
  app.add_option("--seed", flags.seed, "Seed of --sampled")
      ->type_name("N")
      ->needs(sampled);
  app.add_option("--priority", flags.priority,
                 "How urgent while it waits, from 1 (first) to 9 (last); 0: 5")
      ->type_name("0..9");
  mre::AddTopKFlag(app, flags, kOutput);
  app.add_flag("--probabilities", flags.probabilities,
               "Send the probability of every class")
      ->group(kOutput);
  app.add_flag("--json", flags.json, "One line of protobuf JSON an update")
      ->group(kOutput);
}

// What only `mre stream` has.
void AddStream(CLI::App& app, mre::Flags& flags) {
  mre::AddStepFlags(app, flags, kOutput);
  app.add_flag("--plain", flags.plain,
               "Lines of text on a terminal too (so does NO_COLOR)")
      ->group(kOutput);
  app.add_option("--pace", flags.pace,
                 "Pause after each step that is shown; 40ms for the picture, "
                 "none otherwise")
      ->type_name("TIME")
      ->group(kOutput);
}

int Run(int argc, char** argv) {
  mre::Flags flags;
  CLI::App app{
      "Predictions that get better with every expert that runs, from an "
      "mre-server.",
      "mre"};
  app.footer(kExamples);
  app.require_subcommand(1);
  app.failure_message(mre::UsageErrorText);
  app.set_version_flag("--version", std::string("mre ") + mre::kVersion);
  auto* stream =
      app.add_subcommand("stream", "Watch a prediction improve step by step");
  auto* predict =
      app.add_subcommand("predict", "The final prediction under a budget");
  auto* models = app.add_subcommand("models", "The models of the server");
  auto* load = app.add_subcommand(
      "load", "Have the server load a model, or what is new of it");
  auto* unload =
      app.add_subcommand("unload", "Have the server let go of a model");
  for (auto* command : {load, unload}) {
    command->add_option("NAME", flags.name, "The model")->required();
  }
  auto* health = app.add_subcommand("health", "Whether the server serves");
  for (auto* command : {stream, predict, models, load, unload, health}) {
    mre::AddConnectionFlags(*command, flags);
    command->footer(kExamples);
  }
  for (auto* command : {stream, predict}) AddPrediction(*command, flags);
  AddStream(*stream, flags);
  models->add_flag("--json", flags.json, "One line of protobuf JSON")
      ->group(kOutput);
  health->add_option("--service", flags.service,
                     "One gRPC service; the whole server by default");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? mre::kExitOk : mre::kExitUsage;
  }
  if (*stream) return mre::RunStream(flags);
  if (*predict) return mre::RunPredict(flags);
  if (*models) return mre::RunModels(flags);
  if (*load) return mre::RunLoad(flags);
  if (*unload) return mre::RunUnload(flags);
  return mre::RunHealth(flags);
}

}  // namespace

int main(int argc, char** argv) {
  mre::TurnOffLockOrderChecks();
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "mre: " << error.what() << std::endl;
    return mre::kExitUsage;
  }
}
