// What the scheduler reports about one model, for metrics.
#ifndef MRE_SERVER_SCHEDULE_TELEMETRY_H_
#define MRE_SERVER_SCHEDULE_TELEMETRY_H_

#include <cstdint>

#include "absl/time/time.h"
#include "model/engine/stop_rules.h"

namespace mre {

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
  // One engine step over `rows` rows took `took` and showed steps worth `macs`.
  virtual void Stepped(int64_t rows, uint64_t macs, absl::Duration took) = 0;
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
