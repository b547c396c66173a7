// One row's result after one of its steps, in native types.
#ifndef MRE_SERVER_SCHEDULE_PREDICTION_H_
#define MRE_SERVER_SCHEDULE_PREDICTION_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "model/engine/stop_rules.h"

namespace mre {

struct Prediction {
  uint32_t row = 0;  // of its request
  uint32_t step = 0;
  int64_t expert = -1;           // l * N + i that the step ran; -1: none
  std::vector<int32_t> experts;  // all of them, when there are several
  uint64_t macs = 0;
  absl::Duration elapsed;  // since admission
  float ray_coverage = 0;
  std::vector<float> probabilities;  // one a class
  // Other than kNone: the row's last prediction, and why it stopped.
  StopReason stop_reason = StopReason::kNone;

  bool final() const { return stop_reason != StopReason::kNone; }
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_PREDICTION_H_
