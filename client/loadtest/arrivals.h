// When the requests of an open loop are due.
#ifndef MRE_CLIENT_LOADTEST_ARRIVALS_H_
#define MRE_CLIENT_LOADTEST_ARRIVALS_H_

#include <cstdint>
#include <limits>

namespace mre {

enum class Arrival {
  kPoisson,  // Independent clients: the gaps are exponentially distributed.
  // One every 1/rate seconds, the first after half of that, so that n/rate
  // seconds hold n of them.
  kUniform,
};

struct ArrivalOptions {
  Arrival kind = Arrival::kPoisson;
  double rate = 1;  // Requests a second, above 0.
  uint64_t seed = 0;
};

// Seconds between the request before `index` (from 0; for the first: the
// start) and this one. A function of its arguments alone; the mean over the
// indices is 1/rate.
double ArrivalGap(const ArrivalOptions& options, uint64_t index);

// The sums of the gaps: the requests' times after the start, in order.
class Arrivals {
 public:
  explicit Arrivals(const ArrivalOptions& options) : options_(options) {
    Pop();
  }

  // Nanoseconds after the start at which the next request is due; at most half
  // of what the type holds, so that a start can be added.
  int64_t Next() const {
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 2;
    return seconds_ < 4e9 ? static_cast<int64_t>(seconds_ * 1e9) : kMost;
  }
  void Pop() { seconds_ += ArrivalGap(options_, index_++); }

 private:
  const ArrivalOptions options_;
  uint64_t index_ = 0;
  double seconds_ = 0;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_ARRIVALS_H_
