// When a server is lost for good.
#ifndef MRE_CLIENT_LOADTEST_OUTAGE_H_
#define MRE_CLIENT_LOADTEST_OUTAGE_H_

#include <cstdint>

namespace mre {

// After so many seconds in a row in which requests ended and every one was
// UNAVAILABLE, there is nothing left to measure.
class Outage {
 public:
  static constexpr int kSeconds = 3;

  // A second has passed; the counts are of all requests since the start.
  // Returns whether the server is lost.
  bool AddSecond(uint64_t ended, uint64_t unavailable) {
    const bool all =
        ended > ended_ && unavailable - unavailable_ == ended - ended_;
    seconds_ = all ? seconds_ + 1 : 0;
    ended_ = ended;
    unavailable_ = unavailable;
    return seconds_ >= kSeconds;
  }

 private:
  uint64_t ended_ = 0;
  uint64_t unavailable_ = 0;
  int seconds_ = 0;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_OUTAGE_H_
