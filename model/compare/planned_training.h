// One training of a plan: a run with a seed, in a directory of its own.
#ifndef MRE_MODEL_COMPARE_PLANNED_TRAINING_H_
#define MRE_MODEL_COMPARE_PLANNED_TRAINING_H_

#include <atomic>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/compare/plan.h"
#include "model/compare/run_result.h"
#include "model/train/training_data.h"

namespace mre {

// Borrows plan and run. Not thread-safe.
class PlannedTraining {
 public:
  // `root`: the directory of all runs.
  PlannedTraining(const Plan& plan, const PlannedRun& run, uint64_t seed,
                  const std::string& root);

  const std::string& run() const { return run_.name; }
  const FitOptions& options() const { return options_; }  // with the seed
  std::string checkpoint() const { return directory_ + "/model.safetensors"; }
  // For messages: "NAME, seed N".
  std::string title() const;

  // The result, if the training is done. FAILED_PRECONDITION when the directory
  // holds one of another recipe or evaluation.
  absl::StatusOr<std::optional<RunResult>> Done() const;
  // Trains from the last saved state on, evaluates, writes checkpoint and
  // result. None when `stop` turned true: the state is saved then.
  absl::StatusOr<std::optional<RunResult>> Train(const TrainingData& data,
                                                 const std::atomic<bool>& stop);
  // REQUIRES: the training is done.
  absl::Status RemoveCheckpoint() const;

 private:
  absl::Status CheckRecipe() const;
  absl::Status CheckResult(const RunResult& result) const;
  EvalReport Report(const Model& model, const Split& split) const;

  const Plan& plan_;
  const PlannedRun& run_;
  const FitOptions options_;
  const std::string directory_;
};

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_PLANNED_TRAINING_H_
