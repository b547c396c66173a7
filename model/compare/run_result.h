// What one finished training of a plan has shown: the file result.json.
#ifndef MRE_MODEL_COMPARE_RUN_RESULT_H_
#define MRE_MODEL_COMPARE_RUN_RESULT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/eval/eval_report.h"

namespace mre {

// The evaluation after an epoch, as the run's log has it.
struct EpochResult {
  int64_t epoch = 0;             // from 1 on
  double loss = 0;               // of training, mean over the epoch
  std::vector<double> accuracy;  // 0..T
  double least_use = 0;
  double seconds = 0;  // since the run began
};

struct RunResult {
  std::string run;
  uint64_t seed = 0;
  std::string recipe;  // FormatRecipe's JSON
  std::string data;    // fingerprint of what was trained on
  int64_t parameters = 0;
  std::vector<EpochResult> epochs;
  EvalReport report;  // of the finished model
  // The only members that another go at the same run may change.
  double seconds = 0;             // of training
  double evaluation_seconds = 0;  // of making the report
  int64_t peak_memory = 0;        // bytes

  // At the last step.
  double accuracy() const { return report.evaluation.steps.back().accuracy; }
};

// One JSON object on one line, and back: numbers survive it bit for bit.
// INVALID_ARGUMENT names the member that is missing or wrong; what a report
// relies on (lists that are not empty, of lengths that fit) is checked.
std::string FormatResult(const RunResult& result);
absl::StatusOr<RunResult> ParseResult(absl::string_view json);

// The "epoch" lines of a run's log.
absl::StatusOr<std::vector<EpochResult>> EpochsOfLog(absl::string_view log);

// Epochs until the accuracy at the last step reached `target`; 0: never.
int64_t EpochsTo(double target, const RunResult& result);
// The best accuracy at the last step over all epochs.
double BestAccuracy(const RunResult& result);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_RUN_RESULT_H_
