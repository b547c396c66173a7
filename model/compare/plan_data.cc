#include "model/compare/plan_data.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "model/compare/plan_results.h"

namespace mre {
namespace {

// An error of LoadTrainingData as compare's user has to mend it.
absl::Status InOurFlags(const std::string& dataset,
                        const absl::Status& status) {
  absl::string_view text = status.message();
  const std::string flag = absl::StrCat("--data_dir=", dataset, "=DIR");
  if (absl::ConsumePrefix(&text, "--data_dir: ")) {
    return absl::Status(status.code(), absl::StrCat(flag, ": ", text));
  }
  if (!absl::IsNotFound(status)) return status;
  return absl::NotFoundError(
      absl::StrCat(text, "; ", flag, " says where the files are"));
}

}  // namespace

absl::Status CheckDataDirs(const DataDirs& dirs, const Plan& plan) {
  const std::vector<std::string> used = DatasetsOf(plan);
  for (const auto& [name, dir] : dirs) {
    if (std::find(used.begin(), used.end(), name) != used.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--data_dir: expected DATASET=DIR for a data set of the "
                     "plan (",
                     absl::StrJoin(used, ", "), "), got \"", name, "\""));
  }
  return absl::OkStatus();
}

std::string PlanData::KeyOf(const FitOptions& options) {
  return absl::StrCat(options.dataset, " ", options.validation, " ",
                      options.limit_train, " ", options.window);
}

absl::StatusOr<bool> PlanData::Load(FitOptions options) {
  const std::string key = KeyOf(options);
  if (key == key_) return false;
  const auto it = dirs_.find(options.dataset);
  if (it != dirs_.end()) options.data_dir = it->second;
  key_.clear();
  data_ = {};
  absl::StatusOr<TrainingData> data = LoadTrainingData(options);
  if (!data.ok()) return InOurFlags(options.dataset, data.status());
  data_ = *std::move(data);
  key_ = key;
  return true;
}

}  // namespace mre
