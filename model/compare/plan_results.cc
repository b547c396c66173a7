#include "model/compare/plan_results.h"

#include <algorithm>

namespace mre {

std::vector<const RunResult*> ResultsOf(const std::vector<RunResult>& results,
                                        const std::string& run) {
  std::vector<const RunResult*> found;
  for (const RunResult& result : results) {
    if (result.run == run) found.push_back(&result);
  }
  return found;
}

const RunResult* BestOf(const std::vector<RunResult>& results,
                        const std::string& run) {
  const RunResult* best = nullptr;
  for (const RunResult* result : ResultsOf(results, run)) {
    if (best == nullptr || result->accuracy() > best->accuracy() ||
        (result->accuracy() == best->accuracy() && result->seed < best->seed)) {
      best = result;
    }
  }
  return best;
}

std::vector<std::string> DatasetsOf(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlannedRun& run : plan.runs) {
    const std::string& name = run.options.dataset;
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace mre
