#include "server/door/rate_limit.h"

#include <algorithm>

namespace mre {

absl::Duration RateLimit::Take(absl::Time now) {
  if (now > filled_) {
    // The first time this is infinite, and the bucket stays full.
    const double passed = absl::ToDoubleSeconds(now - filled_);
    left_ = std::min(burst_, left_ + passed * per_second_);
    filled_ = now;
  }
  if (left_ >= 1) {
    left_ -= 1;
    return absl::ZeroDuration();
  }
  // Rounded up, so that who comes back then finds one.
  return absl::Seconds((1 - left_) / per_second_) + absl::Nanoseconds(1);
}

}  // namespace mre
