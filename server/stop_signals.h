// SIGTERM and SIGINT: the first means to end well, the second at once.
#ifndef MRE_SERVER_STOP_SIGNALS_H_
#define MRE_SERVER_STOP_SIGNALS_H_

#include <functional>

namespace mre {

// From now on a stop signal ends the process at once with exit code 1, for
// nothing is served yet. To be called once, before any other thread starts:
// threads inherit that these signals are left to the one thread that waits for
// them.
void TakeStopSignals();

// From now on the first signal means to end well. Calls tell_ready, and returns
// once there was a signal. A second one ends the process at once with exit code
// 1, whatever this thread does by then. To be called once.
void AwaitStop(const std::function<void()>& tell_ready);

}  // namespace mre

#endif  // MRE_SERVER_STOP_SIGNALS_H_
