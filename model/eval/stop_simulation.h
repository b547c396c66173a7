// What a stop rule would do to the inputs of a split, judged after the fact.
#ifndef MRE_MODEL_EVAL_STOP_SIMULATION_H_
#define MRE_MODEL_EVAL_STOP_SIMULATION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/engine/stop_rules.h"
#include "model/eval/outcomes.h"

namespace mre {

// The step at which each input stops, as the engine would stop it, [B]; but for
// max_macs in kinds whose steps differ in cost, where the engine counts the
// most that a step may cost, and this what it did. An input that meets no limit
// takes all its steps. Time stands still: max_time never holds.
std::vector<int32_t> StepsUsed(const Budget& budget, const Outcomes& outcomes);

// Means over the inputs at the steps at which they stop.
struct StopQuality {
  double steps = 0;
  double macs = 0;
  double accuracy = 0;
  double loss = 0;
};
StopQuality QualityAtStop(const std::vector<int32_t>& steps_used,
                          const Outcomes& outcomes);

// One point of the curve of accuracy against cost.
struct CurvePoint {
  double min_confidence = 0;
  StopQuality quality;
};
inline constexpr double kCurveConfidences[] = {.5, .6, .7, .8, .9, .95, .99};
// Stopping at each of these confidences.
std::vector<CurvePoint> AnytimeCurve(std::span<const double> confidences,
                                     const Outcomes& outcomes);

}  // namespace mre

#endif  // MRE_MODEL_EVAL_STOP_SIMULATION_H_
