#include "model/base/clock.h"

#include <chrono>

namespace mre {
namespace {

class RealClock : public Clock {
 public:
  absl::Time Now() const override {
    // Monotonic time since boot, carried in an absl::Time: only differences
    // of two readings mean anything.
    return absl::UnixEpoch() +
           absl::FromChrono(
               std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace

const Clock* Clock::Real() {
  static const RealClock clock;
  return &clock;
}

}  // namespace mre
