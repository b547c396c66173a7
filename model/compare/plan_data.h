// The data sets of a plan, of which one is in memory at a time.
#ifndef MRE_MODEL_COMPARE_PLAN_DATA_H_
#define MRE_MODEL_COMPARE_PLAN_DATA_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "model/compare/plan.h"
#include "model/train/training_data.h"

namespace mre {

// Where the files of data sets are, by name: compare's flag --data_dir.
using DataDirs = std::map<std::string, std::string>;

// INVALID_ARGUMENT for a name that the plan does not have: mistyped, it would
// leave a data set where the system has it.
absl::Status CheckDataDirs(const DataDirs& dirs, const Plan& plan);

// Borrows the directories. Not thread-safe.
class PlanData {
 public:
  explicit PlanData(const DataDirs& dirs) : dirs_(dirs) {}

  // Options with the same key learn from the same images.
  static std::string KeyOf(const FitOptions& options);

  // Reads what these options learn from, unless it is here already; says
  // whether it was read. After an error, which names the flag that mends it,
  // there are no data.
  absl::StatusOr<bool> Load(FitOptions options);

  // REQUIRES: Load went well.
  const TrainingData& get() const { return data_; }
  const std::string& key() const { return key_; }

 private:
  const DataDirs& dirs_;
  std::string key_;  // of data_; empty: there are none
  TrainingData data_;
};

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_PLAN_DATA_H_
