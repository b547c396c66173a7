#include "model/base/bell.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace mre {

void Bell::Ring() {
  const std::lock_guard<std::mutex> lock(mu_);
  rung_ = true;
  changed_.notify_one();
}

bool Bell::Wait(absl::Duration limit) {
  // So that the end of the wait is a time that the clock can have.
  const auto end = std::chrono::steady_clock::now() +
                   absl::ToChronoNanoseconds(std::clamp(
                       limit, absl::ZeroDuration(), absl::Hours(24 * 365)));
  std::unique_lock<std::mutex> lock(mu_);
  changed_.wait_until(lock, end, [this] { return rung_; });
  return std::exchange(rung_, false);
}

}  // namespace mre
