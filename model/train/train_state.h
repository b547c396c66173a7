// A training run at rest: everything that is needed to go on as if it had
// never stopped.
#ifndef MRE_MODEL_TRAIN_TRAIN_STATE_H_
#define MRE_MODEL_TRAIN_TRAIN_STATE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/net/params.h"
#include "model/train/fit_options.h"
#include "model/train/optimizer.h"

namespace mre {

// There is no state of a random generator in it: all that is random is a pure
// function of the seed and the step (see Batches and Trainer).
struct TrainState {
  int64_t step = 0;  // steps done
  std::vector<float> params;
  AdamWState adam;
  std::vector<float> average;  // moving average of params; empty when off
  // Sums of the loss since the last line of the log and since the epoch began.
  double log_loss = 0;    // sum of the losses not yet logged ...
  int64_t log_steps = 0;  // ... and how many they are
  double epoch_loss = 0;
};

// What a state file holds.
struct SavedRun {
  FitOptions options;  // the recipe only
  ModelConfig config;
  std::string data;  // fingerprint of what is trained on
  TrainState state;
};

// One safetensors file, replaced atomically.
absl::Status SaveRun(const SavedRun& run, const std::string& path);

// INVALID_ARGUMENT, naming what is wrong, for a file that is damaged or is not
// a state of this program.
absl::StatusOr<SavedRun> ParseRun(std::span<const std::byte> bytes);

// Maps the file and parses it; errors carry the path.
absl::StatusOr<SavedRun> LoadRun(const std::string& path);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_TRAIN_STATE_H_
