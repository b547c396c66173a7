// A plan's results as Markdown. Pure: the same results give the same text.
#ifndef MRE_MODEL_COMPARE_PLAN_REPORT_H_
#define MRE_MODEL_COMPARE_PLAN_REPORT_H_

#include <string>
#include <vector>

#include "model/compare/plan.h"
#include "model/compare/plan_results.h"

namespace mre {

// `plots`: paths of images, relative to the report. Runs without results are
// named as missing and left out. REQUIRES: each result is of a run of the plan.
std::string FormatPlanReport(const Plan& plan, const PlanResults& results,
                             const std::vector<std::string>& plots);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_PLAN_REPORT_H_
