// A thread for what is done once in a while.
#ifndef MRE_MODEL_BASE_TICKER_H_
#define MRE_MODEL_BASE_TICKER_H_

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "model/base/bell.h"

namespace mre {

// Calls a function on a thread of its own, `period` after it has returned;
// by the monotonic clock.
class Ticker {
 public:
  Ticker(absl::Duration period, std::function<void()> tick);
  // Waits for a call that is under way; there is no other.
  ~Ticker();

 private:
  Bell ending_;
  std::thread thread_;
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_TICKER_H_
