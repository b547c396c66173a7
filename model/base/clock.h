// The time, behind a seam: policies and schedulers take a Clock so that tests
// can drive them with a fake one (tests/support/fake_clock.h).
#ifndef MRE_MODEL_BASE_CLOCK_H_
#define MRE_MODEL_BASE_CLOCK_H_

#include "absl/time/time.h"

namespace mre {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back.
  virtual absl::Time Now() const = 0;
  // The machine's monotonic clock; lives for ever.
  static const Clock* Real();
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_CLOCK_H_
