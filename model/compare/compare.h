// `mre-train compare`: trains everything that a plan names and is not yet
// there, then reports.
//
// DIR gets
//   runs/NAME/SEED/recipe.json         what that training is
//                  model.safetensors   and .state while it trains; kept for the
//                                      best seed of each run, or for all
//                  log.jsonl           RunLog
//                  result.json         once it is done (run_result.h)
//   results.jsonl                      all results, a line each
//   report.md, plots/                  what people read
#ifndef MRE_MODEL_COMPARE_COMPARE_H_
#define MRE_MODEL_COMPARE_COMPARE_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "model/compare/plan_data.h"

namespace mre {

struct CompareCommand {
  std::string plan;  // file
  std::string out;   // directory
  DataDirs data_dirs;
  std::string only;  // run to train; empty: all
  bool keep_models = false;
  int threads = 0;           // 0: all
  std::string command_line;  // for the report
};

// A training that is there with another recipe, other data or another
// evaluation is refused with FAILED_PRECONDITION: its name is taken. All data
// are read once before anything is trained. The report is written after each
// seed, at the end, and when it is stopped: CANCELLED once `stop` turns true;
// the state is saved then, and the same command goes on. A training that
// diverges is noted and the others go on: ABORTED at the end.
// INVALID_ARGUMENT for a mistake in the flags or the plan. Progress goes to
// stderr, where the report is to stdout. Except for seconds and memory, results
// do not depend on threads and interruptions.
absl::Status RunCompare(const CompareCommand& command,
                        const std::atomic<bool>& stop);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_COMPARE_H_
