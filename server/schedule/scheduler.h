// Admits requests into a bounded queue and runs their rows on engine threads,
// all rows of a thread in lock-step.
//
// The life of a row: Submit puts its request in the queue (or refuses it); an
// engine thread begins the row as soon as it has a place free, and with each
// pass over its lanes it steps and delivers, until the row leaves its lane.
// Rows join and leave at every pass. Threads share the queue and nothing else;
// each takes an equal part of the rows.
#ifndef MRE_SERVER_SCHEDULE_SCHEDULER_H_
#define MRE_SERVER_SCHEDULE_SCHEDULER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
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
    // Rows begin while fewer than this are being computed, requests that are
    // complete and not told so included; rows that pause for
    // a slow reader do not count until they go on. With them at most
    // max_active_rows + max_queued_rows are alive, and for one step up to
    // max_active_rows more that were begun because they might not wait any
    // longer. Each thread takes an equal part of each of these, rounded up.
    int64_t max_active_rows = 256;
    // Rows that may wait for a place; more are refused.
    int64_t max_queued_rows = 4096;
    // While a row of a client has waited for longer, the client's requests are
    // refused.
    absl::Duration max_wait = absl::InfiniteDuration();
    // How what rows are granted shrinks while others wait in the queue.
    BrownoutOptions brownout = {};
    // Engine threads. The places are shared out among them.
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

  // What there is to tell of overload. The counts only grow.
  struct Overload {
    bool lowered = false;    // rows are granted fewer steps right now
    uint64_t lowerings = 0;  // how often that began
    uint64_t refused = 0;    // requests, for lack of room or time
  };
  Overload overload() const;

  int64_t active_rows() const;
  int64_t queued_rows() const { return queued_rows_.load(); }
  // Requests that are complete and have not been told so; each holds a place.
  int64_t untold_requests() const {
    return std::max<int64_t>(notifier_.owed(), 0);
  }

  // Lets go of what engine threads keep of a model, unless it has rows: then
  // call it again later. Of a model that is not submitted any more.
  void Forget(const PackedModel* model);

  // Also to be called about once a second, by the monotonic clock (a Ticker):
  // where the machine's clock is set back, a wait under way is longer by as
  // much, and rows that pause would not be looked at until something happens.
  void Wake() override;
  void Reconsider() override;

 private:
  // An engine thread and what it owns: lanes of its own for every model. Others
  // see the counts, and what mu_ guards.
  struct Worker {
    std::atomic<int64_t> active{0};  // its rows
    std::atomic<int64_t> paused{0};  // of those, in the last pass
    bool woken = false;              // guarded by mu_
    // To be forgotten; guarded by mu_. May not point to anything any more.
    std::vector<const PackedModel*> forget;
    absl::flat_hash_map<const PackedModel*, std::unique_ptr<Lane>> lanes;
    Lane::Pass pass;  // the one at hand
    // Rows that pause are left be until something wakes the thread, or for a
    // moment: there may be many more of them than of those that step.
    absl::Time next_look = absl::InfinitePast();
    std::vector<RowQueue::Row> starting;
    Lane::News news;
    std::thread thread;

    int64_t stepping() const { return active.load() - paused.load(); }
  };

  void Run(Worker& worker);
  // Blocks until there is something to do; false: shut down.
  bool AwaitWork(Worker& worker, bool rows_paused);
  // Takes the lanes of models that are to be forgotten away.
  void ForgetLanes(Worker& worker,
                   const std::vector<const PackedModel*>& models);
  // Refuses a request for what it says.
  absl::Status Refuse(const std::string& why);
  // A worker's level changed between 0 and more.
  void CountLowered(bool lowered);
  // Moves rows from the queue to the worker's lanes while it has places.
  void AdmitFromQueue(Worker& worker);
  void Begin(Worker& worker, const RowQueue::Row& row, absl::Time now);
  // A pass over all its lanes; true when any row stepped or left.
  bool RunLanes(Worker& worker);
  // One worker's part of so many rows: rounded up, or some might get none.
  int64_t Share(int64_t rows) const {
    const auto workers = static_cast<int64_t>(workers_.size());
    return (rows + workers - 1) / workers;
  }
  // True when the worker may begin one more row.
  bool HasPlace(const Worker& worker) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // Counts the rows that are left and has the worker's news told.
  void TellNews(Worker& worker);
  void WakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  // A row that moves from the queue to a worker is in both for a moment.
  std::atomic<int64_t> queued_rows_{0};

  std::atomic<int> lowered_workers_{0};
  std::atomic<uint64_t> lowerings_{0};
  std::atomic<uint64_t> refused_{0};

  mutable absl::Mutex mu_;
  absl::CondVar work_;     // for the workers
  absl::CondVar drained_;  // for Drain
  RowQueue queue_ ABSL_GUARDED_BY(mu_);
  // Forgotten, to be freed by a thread that has the time.
  std::vector<std::unique_ptr<Lane>> forgotten_ ABSL_GUARDED_BY(mu_);
  bool reconsider_ ABSL_GUARDED_BY(mu_) = false;
  bool shutdown_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time drain_deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();

  Notifier notifier_;
  std::vector<std::unique_ptr<Worker>> workers_;  // constant once constructed
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_SCHEDULER_H_
