// A wait that another thread may end early.
#ifndef MRE_MODEL_BASE_BELL_H_
#define MRE_MODEL_BASE_BELL_H_

#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace mre {

// Thread-safe; for one thread that waits. By the monotonic clock: absl's waits
// end at a time of the day, and so an hour late where the machine's clock is
// set back by one.
class Bell {
 public:
  // Ends the wait that is under way, or else the next one.
  void Ring();
  // Until it rings, at most for `limit`. Whether it rang.
  bool Wait(absl::Duration limit);

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool rung_ = false;  // guarded by mu_
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_BELL_H_
