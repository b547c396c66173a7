// How many steps rows are granted while more come than can be served: fewer the
// longer rows wait in the queue, down to a floor. Pure functions of a snapshot
// of the queue.
//
// A row waits only while every place is taken, so a server with a free place
// grants all that is asked. Where the floor is not enough, refusing begins.
#ifndef MRE_SERVER_SCHEDULE_BROWNOUT_H_
#define MRE_SERVER_SCHEDULE_BROWNOUT_H_

#include <cstdint>

#include "absl/time/time.h"

namespace mre {

// REQUIRES: 0 <= end <= begin < full.
struct BrownoutOptions {
  bool on = true;
  // When a row has waited in the queue for longer than `begin`, less is
  // granted; from `full` on, the floor.
  absl::Duration begin = absl::Milliseconds(50);
  absl::Duration full = absl::Milliseconds(250);
  // What was lowered comes back as the wait falls, later by begin - end than it
  // went, and is whole again once nobody has waited for longer than this.
  absl::Duration end = absl::Milliseconds(25);
  // Steps that every row is granted.
  uint32_t floor = 4;
};

// What the engine thread sees of the queue before a pass.
struct QueueSnapshot {
  absl::Duration waited;  // of the row that has waited longest; none: 0
  int64_t rows = 0;       // that wait
  int64_t limit = 1;      // of them
};

// How far what is granted is lowered: 0 not at all, 1 to the floor. `level` is
// what it was in the last pass, and stays where it is while the queue only
// wavers: for any state of the queue there is a least level and a most one, and
// it is moved no further than to the nearer of the two. Waits count as the
// options say; a queue that is more than half full counts too, whatever the
// waits, and is at 1 from three quarters on.
double NextLevel(const BrownoutOptions& options, const QueueSnapshot& queue,
                 double level);

// Steps that a row may run now, of a model whose rows have `most`, in [floor,
// most]; `most` where that is no more than the floor. Equal strides of `level`
// divide it by equal factors, for a load of twice the capacity needs rows of
// half the cost, and the last steps of a row add the least. REQUIRES: level in
// [0, 1].
uint32_t StepCap(double level, uint32_t floor, uint32_t most);

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_BROWNOUT_H_
