// A recipe, the part of FitOptions that decides the result, as text.
#ifndef MRE_MODEL_TRAIN_RECIPE_H_
#define MRE_MODEL_TRAIN_RECIPE_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/fit_options.h"

namespace mre {

// The recipe as a JSON object, in VisitRecipe's order and without what only
// other kinds have, and back. A member that is missing has its default: it is
// younger than the text.
std::string FormatRecipe(const FitOptions& options);
absl::StatusOr<FitOptions> ParseRecipe(absl::string_view json);

// INVALID_ARGUMENT naming the first flag among `flags` whose value is not the
// one in `saved`.
absl::Status CheckSameRecipe(const FitOptions& saved, const FitOptions& given,
                             const std::set<std::string>& flags);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_RECIPE_H_
