// What `mre-train fit`, `eval`, `info` and `convert` do once their flags are
// read.
#ifndef MRE_MODEL_CLI_COMMANDS_H_
#define MRE_MODEL_CLI_COMMANDS_H_

#include <atomic>
#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "model/engine/stop_rules.h"
#include "model/train/fit_options.h"

namespace mre {

struct FitCommand {
  FitOptions options;
  // Names of the flags that the user gave.
  std::set<std::string> given;
  std::string resume;  // state file; empty: start anew
  // Whether a run that starts anew may replace a checkpoint or a state.
  bool overwrite = false;
};

// Trains and writes the checkpoint to options.out; progress goes to stderr, the
// final table to stdout. That it can be written is found out before training.
// CANCELLED, with a hint how to go on, once `stop` turns true.
// INVALID_ARGUMENT for a mistake in the flags.
absl::Status RunFit(const FitCommand& command, const std::atomic<bool>& stop);

struct EvalCommand {
  std::string checkpoint;
  std::string dataset;  // empty: that of its training record
  std::string data_dir;
  int64_t steps = 0;        // 0: all experts
  int64_t validation = 0;   // the last N training images instead of the test's
  double router_noise = 0;  // 0: do not try noise
  Budget stop;              // nothing set: do not simulate a stop rule
  std::string reference;    // checkpoint whose losses say what is difficult
  bool json = false;
  int threads = 0;
};
// Prints what a checkpoint achieves, and at which cost, on a data set.
absl::Status RunEval(const EvalCommand& command);

struct InfoCommand {
  std::string checkpoint;
  bool tensors = false;  // list them too
};
// Prints what a checkpoint is: config, costs, training record.
absl::Status RunInfo(const InfoCommand& command);

struct ConvertCommand {
  std::string checkpoint;
  std::string out;
  std::string dtype = "bf16";
  int64_t max_steps = 0;  // of an mre; 0: as they are
  bool overwrite = false;
};
// Writes a checkpoint's model again, its matrices stored as `dtype`.
absl::Status RunConvert(const ConvertCommand& command);

}  // namespace mre

#endif  // MRE_MODEL_CLI_COMMANDS_H_
