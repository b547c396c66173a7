// Admits requests into a bounded queue and runs their rows, all in lock-step,
// on one engine thread.
//
// The life of a row: Submit puts its request in the queue (or refuses it); the
// engine thread begins the row as soon as an active place is free; each pass of
// the loop asks the step policy about every active row, steps those that may,
// and puts the new predictions in their requests' outboxes; the row leaves with
// its final prediction, or at once when its request is cancelled. Rows join and
// leave at every pass.
#ifndef MRE_SERVER_SCHEDULE_SCHEDULER_H_
#define MRE_SERVER_SCHEDULE_SCHEDULER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "model/engine/engine.h"
#include "server/schedule/brownout.h"
#include "server/schedule/request.h"
#include "server/schedule/step_policy.h"

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
  // has no room for them, UNAVAILABLE once draining.
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
  struct ActiveRow {
    std::shared_ptr<Request> request;
    uint32_t row = 0;  // of the request
    int handle = -1;   // of the engine
    bool begun = false;
    uint32_t budget_version = 0;
    Budget budget;
    absl::Time paused_since = absl::InfiniteFuture();
  };
  // All that runs of one model.
  struct Lane {
    std::unique_ptr<Engine> engine;
    ModelTelemetry* telemetry = nullptr;
    std::vector<ActiveRow> rows;
    absl::Duration step;  // that one of one row takes, lately
    uint32_t step_cap = 0;
  };
  // A request whose rows from `next` on wait in the queue, until `deadline` at
  // the latest.
  struct Waiting {
    std::shared_ptr<Request> request;
    absl::Time deadline;
    uint32_t next = 0;

    bool Empty() const { return next == request->spec().rows; }
  };
  // A row that has left the queue and is to begin.
  struct Starting {
    std::shared_ptr<Request> request;
    uint32_t row = 0;
  };

  void Run();
  // Blocks until there is something to do; false: shut down.
  bool AwaitWork(bool rows_paused);
  void AdmitFromQueue();
  // Sets level_ by what is left in the queue.
  void Lower(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True when one more row may begin. Engine thread only.
  bool HasPlace() const;
  // Looks again at what the queued requests want by now.
  void ReconsiderQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FindFirstDeadline() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Moves the next row of a request that waits to starting_.
  void TakeNext(Waiting& waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Begin(const Starting& starting, absl::Time now);
  // One pass over a lane; true when any row stepped or left.
  bool RunLane(Lane& lane);
  // Lets rows leave that must, and lists in stepping_ those that may step,
  // those that have not begun last. True when any row has left.
  bool Sweep(Lane& lane, absl::Time now);
  // What the lane's rows may run at level_.
  void SetStepCap(Lane& lane) const;
  // One step of the rows stepping_[first..end). Those that are over keep their
  // place, without a request.
  void StepRows(Lane& lane, size_t first, size_t end);
  // How far ahead each of those may be computed, in ahead_.
  void PlanAhead(const Lane& lane, size_t first, size_t end);
  // Steps of the rows handles_ that are computed and not shown.
  int64_t UnshownSteps(const Lane& lane) const;
  // MACs of the row's steps that are computed and not shown.
  static uint64_t UnshownMacs(const Lane& lane, const ActiveRow& row);
  RowSnapshot Look(const Lane& lane, ActiveRow& row, absl::Time now) const;
  // Puts the row's last prediction in its outbox.
  void Deliver(const Lane& lane, const ActiveRow& row, StopReason reason,
               absl::Time now);
  void Leave(Lane& lane, ActiveRow& row);
  void NotifyTouched();

  const Options options_;
  std::atomic<int64_t> active_rows_{0};
  std::atomic<int64_t> queued_rows_{0};

  mutable absl::Mutex mu_;
  absl::CondVar work_;     // for the engine thread
  absl::CondVar drained_;  // for Drain
  std::deque<Waiting> queue_ ABSL_GUARDED_BY(mu_);
  // No later than the first deadline in the queue.
  absl::Time first_deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool reconsider_ ABSL_GUARDED_BY(mu_) = false;
  bool shutdown_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time drain_deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();

  // Engine thread only.
  absl::flat_hash_map<const PackedModel*, Lane> lanes_;
  absl::Time drain_deadline_seen_ = absl::InfiniteFuture();
  int64_t paused_rows_ = 0;  // in the last pass
  double level_ = 0;         // of NextLevel
  // Rows that pause are left be until something wakes the engine thread, or
  // for a moment: there may be many more of them than of those that step.
  bool look_at_paused_ = true;  // of this pass
  absl::Time next_look_ = absl::InfinitePast();
  std::vector<Starting> starting_;
  std::vector<size_t> stepping_;  // of one pass: indices into Lane::rows
  std::vector<int> may_ahead_;    // StepsAhead of each
  std::vector<int> handles_;      // of one Engine::Step
  std::vector<int> ahead_;        // and how far each is computed
  // Requests whose outbox has something new.
  std::vector<std::shared_ptr<Request>> touched_;

  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_SCHEDULER_H_
