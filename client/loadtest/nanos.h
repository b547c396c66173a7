// The time as the load generator counts it.
#ifndef MRE_CLIENT_LOADTEST_NANOS_H_
#define MRE_CLIENT_LOADTEST_NANOS_H_

#include <chrono>
#include <cstdint>

namespace mre {

// Nanoseconds on the machine's monotonic clock.
using Nanos = int64_t;
inline Nanos NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_NANOS_H_
