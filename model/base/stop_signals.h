// SIGINT and SIGTERM, taken by a thread.
#ifndef MRE_MODEL_BASE_STOP_SIGNALS_H_
#define MRE_MODEL_BASE_STOP_SIGNALS_H_

#include <functional>

namespace mre {

// From now on a thread of its own, which nobody ends, calls take(nth, signal)
// for every SIGINT and SIGTERM, nth = 1, 2, ... The calling thread and all that
// it starts are not interrupted by them. REQUIRES: no other thread runs yet.
void TakeStopSignals(std::function<void(int nth, int signal)> take);

}  // namespace mre

#endif  // MRE_MODEL_BASE_STOP_SIGNALS_H_
