// What a recipe learns from and is measured on.
#ifndef MRE_MODEL_TRAIN_TRAINING_DATA_H_
#define MRE_MODEL_TRAIN_TRAINING_DATA_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/data/dataset.h"
#include "model/train/fit_options.h"

namespace mre {

struct TrainingData {
  Dataset data;         // its training half is what the recipe learns
  Split evaluated;      // what accuracies are measured on ...
  const char* name;     // ... "test" or "validation"
  int64_t offered = 0;  // training images before limit_train
};

// Reads options.dataset and takes the recipe's part of it.
absl::StatusOr<TrainingData> LoadTrainingData(const FitOptions& options);

// INVALID_ARGUMENT when the recipe's model does not fit the images.
absl::Status CheckModelFits(const FitOptions& options, const Dataset& data);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_TRAINING_DATA_H_
