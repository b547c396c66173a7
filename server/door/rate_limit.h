// How many requests a second somebody may make: a bucket that fills with time.
#ifndef MRE_SERVER_DOOR_RATE_LIMIT_H_
#define MRE_SERVER_DOOR_RATE_LIMIT_H_

#include "absl/time/time.h"

namespace mre {

// Not thread-safe. The time is an argument: the policy has no clock.
class RateLimit {
 public:
  // Full at first: `burst` requests may come at once, `per_second` in the long
  // run. REQUIRES: per_second > 0, burst >= 1.
  RateLimit(double per_second, double burst)
      : per_second_(per_second), burst_(burst), left_(burst) {}

  // Zero, and one request is taken; or how long until there is one to take. A
  // `now` before that of an earlier call counts as that.
  absl::Duration Take(absl::Time now);

 private:
  const double per_second_;
  const double burst_;
  double left_;
  absl::Time filled_ = absl::InfinitePast();  // what left_ counts up to
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_RATE_LIMIT_H_
