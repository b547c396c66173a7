// What the scheduler reports about one model, for metrics.
#ifndef MRE_SERVER_SCHEDULE_TELEMETRY_H_
#define MRE_SERVER_SCHEDULE_TELEMETRY_H_

#include <cstdint>
#include <span>

#include "absl/time/time.h"
#include "model/engine/stop_rules.h"

namespace mre {

// What a pass brought at one step.
struct StepTally {
  uint32_t rows = 0;       // that reached it
  uint32_t first = 0;      // of those, rows that reached no step before it
  absl::Duration elapsed;  // since each one's admission, together
};

// One pass of the engine over rows.
struct PassReport {
  int64_t rows = 0;
  bool computed = false;  // else all steps had been computed ahead
  uint64_t macs = 0;      // of the steps that were shown
  absl::Duration took;
  uint32_t first_step = 0;           // that a row reached
  std::span<const StepTally> steps;  // from that one on
};

// Called on the engine threads, so implementations must be thread-safe and
// quick and must not block. One object a model; it outlives every request of
// the model.
class ModelTelemetry {
 public:
  virtual ~ModelTelemetry() = default;

  // A row left the queue after `queued`.
  virtual void RowStarted(absl::Duration queued) = 0;
  // A row has its step 0, `elapsed` after admission.
  virtual void FirstPrediction(absl::Duration elapsed) = 0;
  virtual void Stepped(const PassReport& pass) = 0;
  // Within a step, `rows` rows ran `expert` (l * N + i) together.
  virtual void ExpertRan(int64_t expert, int64_t rows) = 0;
  // A row left before steps that were computed ahead, worth `macs`, were shown.
  virtual void RanInVain(uint64_t macs) = 0;
  // A row got its final prediction. Of its steps that were computed ahead,
  // those worth `in_vain` it will not show. `asked`: the steps it ran, or, if
  // overload stopped it, those that its limits on steps and MACs allowed.
  virtual void RowFinished(StopReason reason, const Progress& progress,
                           uint64_t in_vain, uint32_t asked) = 0;
  // From now on a row is granted no more than `steps`; told when it changes.
  virtual void StepCapChanged(uint32_t steps) = 0;
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_TELEMETRY_H_
