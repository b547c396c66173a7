#include "model/base/ticker.h"

#include <utility>

namespace mre {

Ticker::Ticker(absl::Duration period, std::function<void()> tick)
    : thread_([this, period, tick = std::move(tick)] {
        while (!ending_.Wait(period)) tick();
      }) {}

Ticker::~Ticker() {
  ending_.Ring();
  thread_.join();
}

}  // namespace mre
