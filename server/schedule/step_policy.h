// What to do next with an active row: a pure function of a snapshot.
#ifndef MRE_SERVER_SCHEDULE_STEP_POLICY_H_
#define MRE_SERVER_SCHEDULE_STEP_POLICY_H_

#include "model/engine/stop_rules.h"

namespace mre {

struct RowSnapshot {
  bool cancelled = false;       // its client has gone
  bool begun = false;           // it has a prediction
  bool stop_requested = false;  // its client asked for the best so far
  bool drain_expired = false;   // the server must end now
  bool outbox_full = false;     // its reader is behind and wants every step
  bool stalled = false;         // and has been for too long
  Budget budget;
  Progress progress;  // REQUIRES: begun
};

enum class RowAction {
  kStep,     // run its next step
  kPause,    // leave it be until its reader has caught up
  kFinish,   // send its last prediction again, as final
  kDrop,     // forget it
  kAbandon,  // and end its client's call
};

struct RowDecision {
  RowAction action = RowAction::kStep;
  StopReason reason = StopReason::kNone;  // of kFinish
};

// Step 0 always runs: every row that is not cancelled gets a prediction, even
// when its time was over before it left the queue.
RowDecision DecideRow(const RowSnapshot& row);

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_STEP_POLICY_H_
