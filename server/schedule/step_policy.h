// What to do next with an active row: a pure function of a snapshot.
#ifndef MRE_SERVER_SCHEDULE_STEP_POLICY_H_
#define MRE_SERVER_SCHEDULE_STEP_POLICY_H_

#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "model/engine/stop_rules.h"

namespace mre {

struct RowSnapshot {
  bool cancelled = false;       // its client has gone
  bool begun = false;           // it has a prediction
  bool stop_requested = false;  // its client asked for the best so far
  bool drain_expired = false;   // the server must end now
  bool outbox_full = false;     // its reader is behind and wants every step
  bool watched = false;         // somebody takes predictions before the last
  bool quiet = false;           // nothing looks at them (Engine::Begin)
  int64_t rows = 1;             // that step with it, itself included
  // Steps that it may run as things are (StepCap), whatever its budget says.
  uint32_t step_cap = std::numeric_limits<uint32_t>::max();
  Budget budget;
  Progress progress;  // REQUIRES: begun
};

enum class RowAction {
  kStep,    // run its next step
  kPause,   // leave it be until its reader has caught up
  kFinish,  // send its last prediction again, as final
  kDrop,    // forget it
};

struct RowDecision {
  RowAction action = RowAction::kStep;
  StopReason reason = StopReason::kNone;  // of kFinish
};

// How many more steps the row's limits on steps and MACs leave, of `most` that
// there are. REQUIRES: neither limit has stopped it.
int64_t StepsLeft(const Budget& budget, const Progress& progress, int64_t most);

// How many of a row's next steps to compute together (Engine::Step) when its
// next is not there yet, in [1, Engine::kMostAhead], of a quiet row in [1,
// Engine::kMostQuiet]. As many as its limits on
// steps and MACs and the step cap leave, where nothing else can end it and
// nobody looks in between. A row that is watched starts with one at a time and
// is computed as far ahead as it has come, so that first predictions come soon
// and a client that leaves has wasted no more than it used; and no further than
// there are rows, for to a row alone its steps come no sooner together than one
// by one. One that a prediction or the time may stop, half as far, and not
// beyond its time at the pace it has had. REQUIRES: row.begun, and DecideRow
// lets it step.
int StepsAhead(const RowSnapshot& row);

// The most that each of `rows` rows is computed ahead, if a step of one of them
// takes `step`: a pass over all shall not take long, for others wait to begin.
int MostAhead(int64_t rows, absl::Duration step);

// True when nothing looks at a prediction before the row's last: nobody takes
// it, and no limit depends on it or may end the row between two others.
bool IsQuiet(const Budget& budget, bool watched);

// Step 0 always runs: every row that is not cancelled gets a prediction, even
// when its time was over before it left the queue.
RowDecision DecideRow(const RowSnapshot& row);

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_STEP_POLICY_H_
