#include "model/train/training_data.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/data/load_dataset.h"

namespace mre {

absl::StatusOr<TrainingData> LoadTrainingData(const FitOptions& options) {
  TrainingData training;
  Dataset& data = training.data;
  ASSIGN_OR_RETURN(
      data, LoadDataset(options.dataset, options.data_dir, options.window));
  if (options.validation > 0) {
    ASSIGN_OR_RETURN(training.evaluated,
                     TakeValidation(options.validation, data));
    training.name = "validation";
  } else {
    training.evaluated = std::move(data.test);
    training.name = "test";
  }
  training.offered = data.train.size();
  Limit(options.limit_train, data.image_size(), data.train);
  return training;
}

absl::Status CheckModelFits(const FitOptions& options, const Dataset& data) {
  const absl::Status fits =
      Validate(MakeConfig(options, InputStatistics(data), data.classes));
  if (fits.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--dataset=", options.dataset,
                   ": no such model for its images: ", fits.message()));
}

}  // namespace mre
