// Starts the requests of a closed or an open loop when they are due.
#ifndef MRE_CLIENT_LOADTEST_RUNNER_H_
#define MRE_CLIENT_LOADTEST_RUNNER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/loadtest/arrivals.h"
#include "client/loadtest/class_mix.h"
#include "client/loadtest/inputs.h"
#include "client/loadtest/recorder.h"
#include "client/loadtest/transport.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

struct LoadOptions {
  // An open loop when set: requests start at these times, whatever the server
  // does. Otherwise a closed loop: a request starts when one has ended.
  std::optional<ArrivalOptions> arrivals;
  // Closed loop: requests in flight at all times.
  int concurrency = 1;
  // Open loop: at most so many are in flight. A request that is due when there
  // are as many waits; its latency counts from when it was due all the same.
  int max_in_flight = 10000;

  // Requests of the first `warmup` are not measured.
  absl::Duration warmup;
  // Then requests start for this long, or until `requests` have, if not 0.
  absl::Duration duration = absl::Seconds(10);
  uint64_t requests = 0;

  uint64_t seed = 0;           // Of the classes' draw.
  v1::PredictRequest request;  // All but the input, the budget and the id.
};

// A thread of its own keeps the time. Thread-safe.
class Runner {
 public:
  // All four must outlive this.
  Runner(const LoadOptions& options, const ClassMix* mix, const Inputs* inputs,
         Transport* transport, Recorder* recorder);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  // Stops, and waits until every request has ended.
  ~Runner();

  // Begins, at `start`, and opens the recorder's window. Call once.
  void Start(Nanos start);

  // Starts no further request and closes the window.
  void Stop();

  // Waits until nothing starts any more; false: not within `limit`.
  bool AwaitStopped(absl::Duration limit);
  // Waits until every request has ended too.
  bool AwaitEnded(absl::Duration limit);

  // Ends what runs; those requests fail as `reason` says. After Stop().
  void CancelAll(const absl::Status& reason);

  struct State {
    int in_flight = 0;
    uint64_t started = 0;  // In the window.
    // Due in the window, and had to wait for max_in_flight; open loop.
    uint64_t held_back = 0;
    // Due in the window but never started; open loop. Final once stopped.
    uint64_t not_started = 0;
    uint64_t cancelled = 0;  // By CancelAll.
    Nanos from = 0;          // The window.
    Nanos to = 0;            // For ever while only `requests` limit it.
    Nanos last_end = 0;      // The last request ended.
  };
  State state() const;

 private:
  class Call;

  void RunOpen(Nanos start);
  void RunClosed();
  // Waits for `condition`; false: it did not hold before `time`.
  bool AwaitUntil(const absl::Condition& condition, Nanos time)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Sleeps until `time`; false: stopped before.
  bool SleepUntil(Nanos time);
  // Open loop: waits until one more may be in flight; false: stopped, or the
  // window was over before.
  bool AwaitPlace(Nanos due);

  // Counts in a request that may start at `now`; its index, or nullopt when
  // none may start any more.
  std::optional<uint64_t> Admit(Nanos now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // REQUIRES: admitted at `intended`.
  void Launch(uint64_t index, Nanos intended);
  void Ended(Call* call, const absl::Status& status);

  const LoadOptions options_;
  const ClassMix& mix_;
  const Inputs& inputs_;
  Transport& transport_;
  Recorder& recorder_;

  mutable absl::Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_);
  uint64_t next_index_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;  // The thread has ended.
  std::optional<absl::Status> cancel_reason_ ABSL_GUARDED_BY(mu_);
  // Closed loop: when each place whose request failed may try again.
  std::deque<Nanos> resting_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // Last: it uses the members above.
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_RUNNER_H_
