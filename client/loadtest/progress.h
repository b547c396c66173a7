// The line of each second.
#ifndef MRE_CLIENT_LOADTEST_PROGRESS_H_
#define MRE_CLIENT_LOADTEST_PROGRESS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace mre {

struct ProgressFacts {
  double seconds = 0;  // Since the start.
  bool warmup = false;
  bool ending = false;  // Nothing starts any more.
  uint64_t ended = 0;
  uint64_t failed = 0;
  int in_flight = 0;
  double per_second = 0;  // Requests that ended well, since the last line.
  double p99_nanos = 0;   // Of those; 0: there are none.
  std::optional<double> seconds_left;
};

// "   3s  12,034 done  64 in flight  0 errors  4,010/s  p99 21.3ms  7s left".
std::string ProgressLine(const ProgressFacts& facts);

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_PROGRESS_H_
