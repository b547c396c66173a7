// A clock that moves only when a test says so.
#ifndef MRE_TESTS_SUPPORT_FAKE_CLOCK_H_
#define MRE_TESTS_SUPPORT_FAKE_CLOCK_H_

#include <cassert>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/clock.h"

namespace mre {

// Thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::UnixEpoch() + absl::Hours(1))
      : now_(now) {}

  absl::Time Now() const override {
    const absl::MutexLock lock(&mu_);
    return now_;
  }

  // REQUIRES: step >= 0.
  void Advance(absl::Duration step) {
    assert(step >= absl::ZeroDuration());
    const absl::MutexLock lock(&mu_);
    now_ += step;
  }

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_FAKE_CLOCK_H_
