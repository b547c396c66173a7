// One client's request: what it asks for, what it says while it runs, and its
// outbox. It is where the transport and the engine thread meet.
#ifndef MRE_SERVER_SCHEDULE_REQUEST_H_
#define MRE_SERVER_SCHEDULE_REQUEST_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/engine/packed_model.h"
#include "model/engine/stop_rules.h"
#include "server/schedule/prediction.h"
#include "server/schedule/telemetry.h"

namespace mre {

enum class Delivery {
  kFinal,   // each row's last prediction only
  kLatest,  // newer predictions replace older untaken ones of the same row
  kAll,     // none is dropped; a row with kOutboxSteps untaken ones pauses
};

// Predictions of one row that may wait in an outbox under Delivery::kAll; one
// more, the final one, always finds room.
inline constexpr uint32_t kOutboxSteps = 16;

// How urgent the rows of a request are, from the first to the last.
inline constexpr uint32_t kFirstPriority = 1;
inline constexpr uint32_t kDefaultPriority = 5;
inline constexpr uint32_t kLastPriority = 9;

// Thread-safe. Held by a shared_ptr between the transport and the scheduler;
// whichever lets go last frees it.
class Request {
 public:
  // What a client asked for, validated.
  struct Spec {
    uint64_t client = 0;  // whose turn it is; see RowQueue
    uint32_t priority = kDefaultPriority;
    std::shared_ptr<const PackedModel> model;
    // Outlives the request.
    ModelTelemetry* telemetry = nullptr;
    uint32_t rows = 1;
    std::vector<float> input;  // [rows, input size], raw values; moved out
    Budget budget;
    bool sampled = false;
    uint64_t seed = 0;
    uint32_t every = 1;  // each n-th step and the last
    Delivery delivery = Delivery::kLatest;
  };

  // Told that the outbox has something new to take.
  class Listener {
   public:
    virtual ~Listener() = default;
    // Must not block, may call Take.
    virtual void OnReady() = 0;
  };

  // Tells the engine threads that there is something new; see Scheduler.
  class Waker {
   public:
    virtual ~Waker() = default;
    // A reader has caught up.
    virtual void Wake() = 0;
    // A request was cancelled or stopped, or has a new budget: it may have to
    // leave the queue.
    virtual void Reconsider() = 0;
  };

  // `listener` is called until Detach; it must live that long.
  Request(Spec spec, Listener* listener);

  const Spec& spec() const { return spec_; }

  // ---- The transport's side.

  // Moves all that waits in the outbox to `out` (overwritten), oldest
  // first. True when every row's final prediction has been
  // taken, by this call or before.
  bool Take(std::vector<Prediction>& out);

  // Frees the rows before their next step. What the step at hand yields may
  // still be put in the outbox.
  void Cancel();
  // Ends each row with its best prediction so far (CLIENT_STOP).
  void Stop();
  // What its rows have taken so far.
  struct Spent {
    uint64_t steps = 0;     // of rows that have ended
    uint64_t macs = 0;      // of rows that have ended
    absl::Duration queued;  // of the row that waited longest and has begun
  };
  Spent spent() const;
  // Replaces the budget of all rows that still run.
  void SetBudget(const Budget& budget);
  // After it returns the listener is not called again.
  void Detach();

  // ---- The scheduler's side.

  // At admission, before the request is visible to an engine thread.
  void Admit(absl::Time now, Waker* waker);
  absl::Time admitted() const { return admitted_; }
  // Until RowBegun of the row: nobody needs it once every row has begun,
  // however long the call stays open.
  std::span<const float> input(uint32_t row) const;
  void RowBegun(absl::Duration queued) {
    int64_t longest = longest_queued_ns_.load(std::memory_order_relaxed);
    const int64_t ns = absl::ToInt64Nanoseconds(queued);
    while (longest < ns && !longest_queued_ns_.compare_exchange_weak(
                               longest, ns, std::memory_order_relaxed)) {
    }
    if (rows_begun_.fetch_add(1, std::memory_order_acq_rel) + 1 == spec_.rows) {
      input_ = {};
    }
  }
  bool holds_input() const { return !input_.empty(); }

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  bool stop_requested() const {
    return stop_requested_.load(std::memory_order_acquire);
  }
  // Changes whenever budget() does.
  uint32_t budget_version() const {
    return budget_version_.load(std::memory_order_acquire);
  }
  Budget budget() const;
  // True when `row` must pause (Delivery::kAll only); the next Take then wakes
  // the engine threads.
  bool OutboxFull(uint32_t row);
  // True when a prediction of this step goes into the outbox.
  bool Wants(uint32_t step, bool final) const;
  // True when it is the last of the finals: the request is complete.
  bool Put(Prediction prediction);
  // Once true, of a complete request.
  bool ToldComplete();
  // True when it is to be told of what was put: not, when it was touched before
  // and has not been told since. (What was put is seen by who tells, for both
  // hold mu_.)
  bool Touch() { return !touched_.exchange(true, std::memory_order_acq_rel); }
  // Calls the listener. REQUIRES: no lock of the listener's is held.
  void Notify();

 private:
  void PutInOutbox(Prediction prediction) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::vector<float> input_;  // of the engine threads once admitted
  const Spec spec_;           // but for its input
  absl::Time admitted_;       // constant after Admit
  Waker* waker_ = nullptr;    // constant after Admit; outlives the request

  std::atomic<bool> cancelled_{false};
  std::atomic<bool> stop_requested_{false};
  std::atomic<uint32_t> budget_version_{0};
  std::atomic<bool> touched_{false};
  std::atomic<uint32_t> rows_begun_{0};
  std::atomic<int64_t> longest_queued_ns_{0};

  // Held while the listener is called, so that Detach waits for it.
  absl::Mutex listener_mu_;
  Listener* listener_ ABSL_GUARDED_BY(listener_mu_);

  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(listener_mu_);
  Budget budget_ ABSL_GUARDED_BY(mu_);
  std::vector<Prediction> outbox_ ABSL_GUARDED_BY(mu_);
  // A row: under kAll how many of its predictions are in the outbox, else the
  // place of its only one there, counted from 1; 0: none.
  std::vector<uint32_t> waiting_ ABSL_GUARDED_BY(mu_);
  bool paused_ ABSL_GUARDED_BY(mu_) = false;  // OutboxFull said yes
  uint32_t rows_left_ ABSL_GUARDED_BY(mu_);   // without final in the outbox
  bool told_complete_ ABSL_GUARDED_BY(mu_) = false;
  Spent spent_ ABSL_GUARDED_BY(mu_);  // but for `queued`
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_REQUEST_H_
