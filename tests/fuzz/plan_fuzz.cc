// Any text is refused with a reason, or is a plan whose recipes are valid and
// whose references hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "model/compare/plan.h"
#include "model/train/recipe.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto plan = mre::ParsePlan(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!plan.ok()) {
    Require(!plan.status().message().empty());
    return 0;
  }
  Require(!plan->runs.empty() && !plan->seeds.empty());
  for (const mre::PlannedRun& run : plan->runs) {
    Require(plan->Find(run.name) == &run);
    Require(mre::Validate(run.options).ok());
    Require(mre::ParseRecipe(mre::FormatRecipe(run.options)).ok());
  }
  for (const mre::PlannedPair& pair : plan->pairs) {
    Require(plan->Find(pair.baseline) != nullptr);
  }
  return 0;
}
