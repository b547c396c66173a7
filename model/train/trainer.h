// One training run, from a recipe and a data set to a model.
#ifndef MRE_MODEL_TRAIN_TRAINER_H_
#define MRE_MODEL_TRAIN_TRAINER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/data/batches.h"
#include "model/data/dataset.h"
#include "model/eval/evaluate.h"
#include "model/net/network.h"
#include "model/train/fit_options.h"
#include "model/train/optimizer.h"
#include "model/train/progress.h"
#include "model/train/run_log.h"
#include "model/train/schedule.h"
#include "model/train/train_state.h"

namespace mre {

// Trains every exit at once: a batch's rows take max_steps steps each, choosing
// with a little noise, and every exit has a loss. AdamW, gradients clipped.
// After each epoch, and at the end, the model is evaluated.
//
// The result is a function of recipe and data alone: threads, log and
// interruptions change no bit of it.
//
//   Trainer trainer(options, data, data.test, "test", state, log, progress);
//   RETURN_IF_ERROR(trainer.Resume(saved));         // or not
//   ASSIGN_OR_RETURN(const bool finished, trainer.Run(stop));
//   if (finished) SaveCheckpoint(trainer.Result(), path);
//
// Not thread-safe. Borrows data, log and progress.
class Trainer {
 public:
  // `state_path`: where the run is saved so that it can be resumed.
  // REQUIRES: Validate(options).ok(), and no split of `data` is empty.
  // `evaluated` is what accuracies are measured on, under the name
  // `evaluated_name`.
  Trainer(const FitOptions& options, const Dataset& data,
          const Split& evaluated, std::string evaluated_name,
          std::string state_path, RunLog& log, ProgressBar& progress);

  // Goes on from a saved run. INVALID_ARGUMENT when the run was made from
  // other data or another model.
  absl::Status Resume(SavedRun run);

  // Trains to the end; or, once `stop` turns true, saves the state and returns
  // false.
  absl::StatusOr<bool> Run(const std::atomic<bool>& stop);

  // The model, its training record included. REQUIRES: Run returned true.
  Model Result() const;
  const Evaluation& evaluation() const { return evaluation_; }

  int64_t step() const { return state_.step; }

 private:
  // ABORTED when the loss or its gradient is not finite; nothing is changed
  // then.
  absl::Status Step();
  absl::Status Diverged(absl::string_view what) const;
  absl::Status LogStep();
  absl::Status EndEpoch();
  absl::Status Save() const;
  // The weights that are evaluated and saved.
  const std::vector<float>& weights() const;
  std::string TrainingRecord() const;

  const FitOptions options_;
  const ModelConfig config_;
  const std::unique_ptr<Network> network_;
  const std::string data_;  // fingerprint of what is trained on
  const std::vector<float> exit_weights_;
  const AdamWOptions adam_;
  const Schedule schedule_;
  const Split& evaluated_;
  const std::string evaluated_name_;
  const std::string state_path_;
  RunLog& log_;
  ProgressBar& progress_;

  Batches batches_;
  int64_t total_steps_ = 0;
  TrainState state_;
  std::vector<float> gradient_;
  std::vector<float> dlogits_;
  double rate_ = 0;  // of the last step, as is the norm
  double norm_ = 0;
  absl::Time begin_;
  Evaluation evaluation_;
};

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_TRAINER_H_
