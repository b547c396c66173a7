// When a row stops: a pure function of its budget and its progress.
#ifndef MRE_MODEL_ENGINE_STOP_RULES_H_
#define MRE_MODEL_ENGINE_STOP_RULES_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace mre {

// How far a row of a "raytracing" relaxes, and in what steps; 0: as its model
// says. Other kinds have no thresholds.
struct Thresholds {
  float theta_out = 0;    // mass at the output that ends it
  float theta_decay = 0;  // from one threshold to the next
};

// Limits on one row's computation. 0: no limit.
struct Budget {
  uint32_t max_steps = 0;
  uint64_t max_macs = 0;
  absl::Duration max_time = absl::ZeroDuration();  // since admission
  float min_confidence = 0;
  float min_ray_coverage = 0;
  uint32_t stable_steps = 0;
  // No stop rule of its own: the engine is told, and exhausts the row.
  Thresholds thresholds = {};
};

// Why a row stopped. Values are those of the wire's StopReason.
enum class StopReason {
  kNone = 0,  // it goes on
  kMaxSteps = 1,
  kMaxMacs = 2,
  kMaxTime = 3,
  kConfidence = 4,
  kRayCoverage = 5,
  kStable = 6,
  kClientStop = 7,
  kExhausted = 8,
  kOverload = 9,
  kDraining = 10,
};
inline constexpr int kStopReasons = 11;

// Lower-case name as metrics show it, e.g. "max_steps".
absl::string_view StopReasonName(StopReason reason);

// A row after one of its steps.
struct Progress {
  uint32_t step = 0;            // steps run so far
  uint64_t macs = 0;            // spent so far
  uint64_t next_step_macs = 0;  // what one more step would spend at most
  absl::Duration elapsed;       // since admission
  float confidence = 0;
  float ray_coverage = 0;
  uint32_t stable_steps = 0;  // steps since the top class last changed
  bool exhausted = false;     // nothing is left to run
};

// The first limit, in the order of StopReason's values, that holds; kNone when
// the row may take another step. max_macs holds when the next step would pass
// it.
StopReason CheckBudget(const Budget& budget, const Progress& progress);

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_STOP_RULES_H_
