// A plan's results as gnuplot scripts and the data that they draw. Pure.
#ifndef MRE_MODEL_COMPARE_PLAN_PLOTS_H_
#define MRE_MODEL_COMPARE_PLAN_PLOTS_H_

#include <string>
#include <vector>

#include "model/compare/plan.h"
#include "model/compare/plan_results.h"

namespace mre {

// `gnuplot NAME.gp`, run where both files are, writes NAME.svg.
struct Plot {
  std::string name;
  std::string script;  // NAME.gp
  std::string data;    // NAME.dat
};

// For each data set: accuracy against steps, MACs and epochs (means over the
// seeds, all runs in one plot), and steps used against difficulty where there
// is a reference. For each run with several layers of several experts: the best
// seed's use of experts as a map. What has no results is left out.
std::vector<Plot> MakePlots(const Plan& plan, const PlanResults& results);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_PLAN_PLOTS_H_
