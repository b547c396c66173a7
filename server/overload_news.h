// What the log says of overload: when it begins and when it has ended, not each
// time that it comes and goes.
#ifndef MRE_SERVER_OVERLOAD_NEWS_H_
#define MRE_SERVER_OVERLOAD_NEWS_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "server/schedule/scheduler.h"

namespace mre {

// A state has ended when it has not been seen for as long as this, so that one
// that wavers is told of once.
inline constexpr absl::Duration kOverloadQuiet = absl::Seconds(5);

struct OverloadNews {
  enum class What {
    kLowering,  // rows are granted fewer steps
    kLowered,   // no more
    kRefusing,  // requests are refused for lack of room or time
    kRefused,   // no more
  };
  What what;
  absl::Duration lasted = absl::ZeroDuration();  // of what has ended
  uint64_t times = 0;  // how often it lowered, or how many it refused, in it
};

// Looks at the scheduler's counts about once a second. Not thread-safe; time
// and counts do not go back.
class OverloadWatch {
 public:
  std::vector<OverloadNews> Look(const Scheduler::Overload& now,
                                 absl::Time time);

 private:
  struct Spell {
    bool on = false;
    absl::Time began;
    absl::Time last_seen;
    uint64_t count = 0;         // as of the last look
    uint64_t count_before = 0;  // as of its beginning
  };
  static void See(Spell& spell, bool now_on, uint64_t count, absl::Time time,
                  OverloadNews::What begins, OverloadNews::What ends,
                  std::vector<OverloadNews>& news);

  Spell lowering_;
  Spell refusing_;
};

// Writes the line.
void LogOverload(const OverloadNews& news);

}  // namespace mre

#endif  // MRE_SERVER_OVERLOAD_NEWS_H_
