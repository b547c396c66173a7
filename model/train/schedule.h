// Learning rates as pure functions of the step.
#ifndef MRE_MODEL_TRAIN_SCHEDULE_H_
#define MRE_MODEL_TRAIN_SCHEDULE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

enum class Schedule {
  kOneCycle,  // "one-cycle"
  kCosine,    // "cosine"
  kConstant,  // "constant"
};
absl::StatusOr<Schedule> ParseSchedule(absl::string_view name);

// The rate of step `step` of `total`, counted from 0. REQUIRES: 0 <= step <
// total.
//   one-cycle: PyTorch's OneCycleLR: half a cosine from peak/25 up to the peak
//              over the first 30 % of the steps, then down to peak/250000.
//   cosine:    a straight line up from 0 over the first 5 %, then half a cosine
//              down to 0, which it would reach at step `total`.
//   constant:  the peak.
double LearningRate(Schedule schedule, double peak, int64_t step,
                    int64_t total);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_SCHEDULE_H_
