// Admits requests into a bounded queue and runs their rows, all in lock-step,
// on one engine thread.
//
// The life of a row: Submit puts its request in the queue (or refuses it); the
// engine thread begins the row as soon as an active place is free; with each
// pass over the lanes it steps and delivers, until it leaves its lane. Rows
// join and leave at every pass.
#ifndef MRE_SERVER_SCHEDULE_SCHEDULER_H_
#define MRE_SERVER_SCHEDULE_SCHEDULER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "server/schedule/brownout.h"
#include "server/schedule/lane.h"
#include "server/schedule/notifier.h"
#include "server/schedule/request.h"
#include "server/schedule/row_queue.h"

namespace mre {

// Thread-safe. Outlives every request submitted to it.
class Scheduler : public Request::Waker {
 public:
  struct Options {
    // Rows begin while fewer than this are being computed; rows that pause for
    // a slow reader do not count until they go on. With them at most
    // max_active_rows + max_queued_rows are alive, and for one step those more
    // that were begun because they might not wait any longer.
    int64_t max_active_rows = 256;
    // Rows that may wait for a place; more are refused.
    int64_t max_queued_rows = 4096;
    // While a row of a client has waited for longer, the client's requests are
    // refused.
    absl::Duration max_wait = absl::InfiniteDuration();
    // How long a row may pause because nobody takes its predictions; then its
    // request is abandoned.
    absl::Duration stall_limit = absl::InfiniteDuration();
    // How what rows are granted shrinks while others wait in the queue.
    BrownoutOptions brownout = {};
    // Threads of the matrix products.
    int threads = 1;
    const Clock* clock = Clock::Real();
  };

  explicit Scheduler(const Options& options);
  // Rows still active or queued are dropped.
  ~Scheduler() override;

  // Takes all rows of the request or none: RESOURCE_EXHAUSTED when the queue
  // has no room for them or its client's rows wait for too long, UNAVAILABLE
  // once draining.
  absl::Status Submit(std::shared_ptr<Request> request);

  // Stops admission, lets rows run for up to `limit`, ends those that remain
  // with their best so far (DRAINING), and returns when none is left.
  void Drain(absl::Duration limit);

  // About how long a request refused now should wait before it tries again.
  absl::Duration RetryAfter() const;

  int64_t active_rows() const { return active_rows_.load(); }
  int64_t queued_rows() const { return queued_rows_.load(); }

  void Wake() override;
  void Reconsider() override;

 private:
  void Run();
  // Blocks until there is something to do; false: shut down.
  bool AwaitWork(bool rows_paused);
  // Moves rows from the queue to their lanes while there are places.
  void AdmitFromQueue();
  void Begin(const RowQueue::Row& row, absl::Time now);
  // A pass over all lanes; true when any row stepped or left.
  bool RunLanes();
  // True when one more row may begin. Engine thread only.
  bool HasPlace() const;
  // Counts the rows that are left and has those in touched_ told.
  void NotifyTouched();

  const Options options_;
  // Of the engine thread's making; a row that moves from one to the other is
  // in both for a moment.
  std::atomic<int64_t> active_rows_{0};
  std::atomic<int64_t> queued_rows_{0};

  mutable absl::Mutex mu_;
  absl::CondVar work_;     // for the engine thread
  absl::CondVar drained_;  // for Drain
  RowQueue queue_ ABSL_GUARDED_BY(mu_);
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool reconsider_ ABSL_GUARDED_BY(mu_) = false;
  bool shutdown_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time drain_deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();

  // Engine thread only.
  absl::flat_hash_map<const PackedModel*, std::unique_ptr<Lane>> lanes_;
  Lane::Pass pass_;          // the one at hand
  int64_t paused_rows_ = 0;  // in the last pass
  // Rows that pause are left be until something wakes the engine thread, or
  // for a moment: there may be many more of them than of those that step.
  absl::Time next_look_ = absl::InfinitePast();
  std::vector<RowQueue::Row> starting_;
  // Requests whose outbox has something new.
  std::vector<std::shared_ptr<Request>> touched_;

  Notifier notifier_;
  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_SCHEDULER_H_
