#include "model/base/ticker.h"

#include <utility>

namespace mre {

Ticker::Ticker(absl::Duration period, std::function<void()> tick)
    : thread_([this, period, tick = std::move(tick)] { Run(period, tick); }) {}

Ticker::~Ticker() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  thread_.join();
}

void Ticker::Run(absl::Duration period, const std::function<void()>& tick) {
  const auto ending = [this] {
    mu_.AssertHeld();
    return ending_;
  };
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      if (mu_.AwaitWithTimeout(absl::Condition(&ending), period)) return;
    }
    tick();
  }
}

}  // namespace mre
