// What is reported about a checkpoint, as text for people and as JSON.
#ifndef MRE_MODEL_EVAL_EVAL_REPORT_H_
#define MRE_MODEL_EVAL_EVAL_REPORT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/engine/stop_rules.h"
#include "model/eval/evaluate.h"

namespace mre {

// The model again, with noise added to its router's logits.
struct NoiseReport {
  double scale = 0;  // PassOptions::router_noise
  std::vector<double> accuracy;
  std::vector<double> loss;  // 0..T, both
};
NoiseReport ReportNoise(double scale, const Evaluation& disturbed);

// What a stop rule does, and whether it spends its steps where they are needed.
struct StopReport {
  Budget budget;
  StopQuality quality;
  // Spearman correlation, over the inputs, of the steps used and the loss of an
  // independent reference model at its last exit. Both are none without a
  // reference; the first also where all inputs use the same number of steps.
  std::optional<double> rank_correlation;
  std::vector<double> steps_by_decile;  // mean steps, easiest tenth first
};
// reference_loss: [inputs], or empty.
StopReport ReportStop(const Budget& budget, const Outcomes& outcomes,
                      const std::vector<double>& reference_loss);

struct EvalReport {
  Evaluation evaluation;
  std::optional<NoiseReport> noise;
  std::optional<StopReport> stop;
};

// True when a limit is set that looks at how the input does.
bool HasStopRule(const Budget& budget);

// Runs `steps` steps of every input, once more with noise on the router's
// logits if `router_noise` is above 0 and there is a router, and applies `stop`
// if it is a rule.
// reference_loss: as ReportStop's. REQUIRES: as Observe.
EvalReport MakeReport(const Model& model, const Split& split, int64_t steps,
                      double router_noise, const Budget& stop,
                      const std::vector<double>& reference_loss);

// Tables; the first has a row a step.
std::string FormatTable(const Evaluation& evaluation);
std::string FormatTable(const EvalReport& report);

// One JSON object, without a line's end. Floating-point numbers survive it bit
// for bit.
std::string FormatJson(const EvalReport& report);

}  // namespace mre

#endif  // MRE_MODEL_EVAL_EVAL_REPORT_H_
