// How many lines a second a log may get of one kind, so that a flood of events
// does not become a flood of lines.
#ifndef MRE_SERVER_SERVICE_LINE_LIMIT_H_
#define MRE_SERVER_SERVICE_LINE_LIMIT_H_

#include <cstdint>
#include <utility>

#include "absl/time/time.h"

namespace mre {

// Not thread-safe.
class LineLimit {
 public:
  explicit LineLimit(int64_t lines_a_second) : most_(lines_a_second) {}

  // Whether an event at `now` gets a line; if not it is counted. Time does not
  // go back.
  bool Take(absl::Time now) {
    if (now >= second_ + absl::Seconds(1)) {
      second_ = now;
      lines_ = 0;
    }
    if (lines_ < most_) {
      ++lines_;
      return true;
    }
    ++left_out_;
    return false;
  }

  // Events without a line since the last time this was asked.
  int64_t TakeLeftOut() { return std::exchange(left_out_, 0); }

 private:
  const int64_t most_;
  absl::Time second_ = absl::InfinitePast();  // the one at hand's beginning
  int64_t lines_ = 0;                         // in it
  int64_t left_out_ = 0;
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_LINE_LIMIT_H_
