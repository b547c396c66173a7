// Any text is refused with a reason, or is a result that reads back the same
// when written, and that a report can be made of.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "model/compare/plan_plots.h"
#include "model/compare/plan_report.h"
#include "model/compare/run_result.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

mre::Plan PlanOf(const std::string& run) {
  mre::Plan plan;
  plan.runs.push_back({run, {}});
  mre::FillDefaults(plan.runs[0].options);
  plan.seeds = {0};
  plan.targets = {0.5};
  plan.pairs.push_back({run, {run}});
  return plan;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto result = mre::ParseResult(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!result.ok()) {
    Require(!result.status().message().empty());
    return 0;
  }
  const std::string text = mre::FormatResult(*result);
  const auto again = mre::ParseResult(text);
  Require(again.ok());
  Require(mre::FormatResult(*again) == text);
  const mre::Plan plan = PlanOf(result->run);
  const mre::PlanResults results{"", {*result, *again}, {}, {}};
  Require(!mre::FormatPlanReport(plan, results, {}).empty());
  Require(!mre::MakePlots(plan, results).empty());
  return 0;
}
