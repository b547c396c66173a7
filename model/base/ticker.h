// A thread for what is done once in a while.
#ifndef MRE_MODEL_BASE_TICKER_H_
#define MRE_MODEL_BASE_TICKER_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mre {

// Calls a function on a thread of its own, `period` after it has returned.
class Ticker {
 public:
  Ticker(absl::Duration period, std::function<void()> tick);
  // Waits for a call that is under way; there is no other.
  ~Ticker();

 private:
  void Run(absl::Duration period, const std::function<void()>& tick);

  absl::Mutex mu_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_TICKER_H_
