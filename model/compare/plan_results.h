// Everything that the trainings of a plan have shown.
#ifndef MRE_MODEL_COMPARE_PLAN_RESULTS_H_
#define MRE_MODEL_COMPARE_PLAN_RESULTS_H_

#include <map>
#include <string>
#include <vector>

#include "model/compare/plan.h"
#include "model/compare/run_result.h"

namespace mre {

struct PlanResults {
  std::string command;              // that made them
  std::vector<RunResult> results;   // in the plan's order of runs, then seeds
  std::vector<std::string> failed;  // trainings that ended early, and why
  // Run -> its best seed's steps under the plan's stop rule against the
  // reference's loss.
  std::map<std::string, StopReport> difficulty;
};

// Those of one run.
std::vector<const RunResult*> ResultsOf(const std::vector<RunResult>& results,
                                        const std::string& run);
// The one whose checkpoint is kept: best at the last step, then least seed.
// Null when there is none.
const RunResult* BestOf(const std::vector<RunResult>& results,
                        const std::string& run);
// The plan's data sets, each once, in the order of the runs.
std::vector<std::string> DatasetsOf(const Plan& plan);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_PLAN_RESULTS_H_
