// A plan of `mre-train compare`: which models are trained, with which seeds,
// and what is asked of them. A JSON object:
//
//   {"name": "digits", "title": "mre and topk on digits",
//    "defaults": {"dataset": "mnist", "epochs": 3},
//    "runs": [{"name": "mre", "recipe": {"kind": "mre"}},
//             {"name": "topk", "recipe": {"kind": "topk", "lr": 0.01}}],
//    "seeds": [0, 1, 2],
//    "targets": [0.9],
//    "pairs": [{"baseline": "topk", "against": ["mre"]}],
//    "evaluation": {"router_noise": 0.5, "min_confidence": 0.9,
//                   "reference": "topk"}}
//
// name, runs and seeds are needed. A recipe has the fields of `mre-train fit`
// (VisitRecipe) but for the seed; what it leaves out is taken from "defaults",
// then from fit's own defaults, but the data set, which has to be named. Plans
// say nothing about where files are.
#ifndef MRE_MODEL_COMPARE_PLAN_H_
#define MRE_MODEL_COMPARE_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/fit_options.h"

namespace mre {

struct PlannedRun {
  std::string name;    // a file's name: letters, digits, . _ -
  FitOptions options;  // complete and valid but for the seed
};

// Epochs until each of `against` is as good as `baseline` gets.
struct PlannedPair {
  std::string baseline;
  std::vector<std::string> against;
};

struct Plan {
  std::string name;
  std::string title;
  std::vector<PlannedRun> runs;  // at least one; names differ
  std::vector<uint64_t> seeds;   // at least one; all differ
  std::vector<double> targets;   // accuracies, for epochs to get there
  std::vector<PlannedPair> pairs;
  // How finished models are evaluated.
  double router_noise = 0.5;    // PassOptions::router_noise; 0: not
  double min_confidence = 0.9;  // of the stop rule in use against difficulty
  std::string reference;        // run whose loss is the difficulty; or empty

  const PlannedRun* Find(absl::string_view run) const;
};

// INVALID_ARGUMENT naming the member that is unknown, missing or wrong.
absl::StatusOr<Plan> ParsePlan(absl::string_view json);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_PLAN_H_
