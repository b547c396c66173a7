// Counts what happens, told by many threads at once.
#ifndef MRE_CLIENT_LOADTEST_RECORDER_H_
#define MRE_CLIENT_LOADTEST_RECORDER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/loadtest/histogram.h"
#include "client/loadtest/record.h"
#include "client/loadtest/tally.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// What came while the window was open, whenever its request began: what a rate
// is made of.
struct WindowCounts {
  uint64_t ok = 0;
  uint64_t predictions = 0;
};

struct ClassResult {
  Tally tally;
  WindowCounts window;
};

// Thread-safe. Its memory is fixed by the number of classes.
//
// The window is the time that is measured, after the warmup. A request belongs
// to the tallies when it was due in the window, however late it ends.
class Recorder {
 public:
  struct Options {
    size_t classes = 1;
    Nanos objective = std::numeric_limits<Nanos>::max();
    double confidence = 0.9;
  };

  explicit Recorder(const Options& options);

  // [from, to). CloseWindow may bring the end forward.
  void OpenWindow(Nanos from, Nanos to);
  void CloseWindow(Nanos to);
  bool InWindow(Nanos time) const { return time >= from_ && time < to_; }

  // A prediction of a request came at `now`; it is added to `record`.
  void Add(const v1::Prediction& prediction, Nanos now, Record& record);
  // A request has ended; `record` is complete.
  void End(const Record& record);

  // By class, all that was recorded so far.
  std::vector<ClassResult> Results() const;

  // All requests, those of the warmup too, and the latencies of those that
  // ended well since the last call.
  struct Progress {
    uint64_t ended = 0;
    uint64_t ok = 0;
    // Of the failed ones: UNAVAILABLE.
    uint64_t unavailable = 0;
    Histogram recent;
  };
  Progress TakeProgress();

 private:
  // Threads that tell of different requests seldom wait for each other.
  static constexpr size_t kShards = 4;
  struct Shard {
    mutable absl::Mutex mu;
    std::vector<ClassResult> classes ABSL_GUARDED_BY(mu);
    Progress progress ABSL_GUARDED_BY(mu);
  };

  Shard& ShardOf(const Record& record) {
    return shards_[record.index % kShards];
  }

  const Options options_;
  std::atomic<Nanos> from_ = 0;
  std::atomic<Nanos> to_ = 0;
  std::array<Shard, kShards> shards_;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_RECORDER_H_
