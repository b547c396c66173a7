// The calls that are open: a drain tells them to end and waits for them, and
// those whose clients do not read are cut off.
#ifndef MRE_SERVER_SERVICE_OPEN_CALLS_H_
#define MRE_SERVER_SERVICE_OPEN_CALLS_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "server/service/line_limit.h"

namespace mre {

// A call, as others see it from OpenCalls::Enter to OpenCalls::Leave.
class OpenCall {
 public:
  enum class AtDrain { kEndsByItself, kIsTold };

  // `rpc` and `clock` outlive it.
  OpenCall(grpc::CallbackServerContext* rpc, const Clock& clock,
           AtDrain at_drain = AtDrain::kEndsByItself)
      : rpc_(rpc), clock_(clock), at_drain_(at_drain) {}
  virtual ~OpenCall() = default;

  // Ends the call as soon as nothing it was asked for still runs. Of those that
  // are to be told.
  virtual void Drain() {}
  // Cancels the call, whose reactions do the rest, and returns its peer.
  virtual std::string CutOff();

 protected:
  // To be said when gRPC is given a message to write, or the call's end ...
  void SendBegins() {
    if (cut_off_.load(std::memory_order_relaxed)) return;
    sending_since_.store(absl::ToUnixNanos(clock_.Now()),
                         std::memory_order_relaxed);
  }
  // ... and when the message is written; the end is when the call leaves.
  void SendEnds() { sending_since_.store(kNothing, std::memory_order_relaxed); }

 private:
  friend class OpenCalls;
  static constexpr int64_t kNothing = std::numeric_limits<int64_t>::max();

  grpc::CallbackServerContext* const rpc_;
  const Clock& clock_;
  const AtDrain at_drain_;
  std::atomic<int64_t> sending_since_{kNothing};
  std::atomic<bool> cut_off_{false};
};

// Thread-safe. Calls enter and leave without a lock of their own held.
class OpenCalls {
 public:
  // Lines a second that tell of calls that were cut off; one more says how many
  // others there were.
  static constexpr int64_t kLinesASecond = 10;

  explicit OpenCalls(absl::Duration stall_limit = absl::InfiniteDuration(),
                     const Clock* clock = Clock::Real())
      : stall_limit_(stall_limit), clock_(*clock) {}

  void Enter(OpenCall* call);
  void Leave(OpenCall* call);

  // Cuts off every call that has been sending one message, or its end, for as
  // long as the limit: its client does not read, and what the call holds would
  // be held for ever. To be called about once a second.
  void CutOffStalled();

  // The server is about to drain, and not ready for more.
  void TellLeaving();
  bool leaving() const;
  // Tells every call, and every one that enters later, to drain.
  void Drain();
  // False when calls were still open at the deadline.
  bool AwaitNone(absl::Duration limit);

 private:
  std::vector<OpenCall*> Stalled(absl::Time now);

  const absl::Duration stall_limit_;
  const Clock& clock_;
  // Held while calls are told something, so that none leaves, and is freed,
  // meanwhile; they may enter, which gRPC may have the same thread do.
  absl::Mutex telling_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable absl::Mutex mu_;
  bool leaving_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<OpenCall*> calls_ ABSL_GUARDED_BY(mu_);
  LineLimit lines_ ABSL_GUARDED_BY(telling_mu_){kLinesASecond};
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_OPEN_CALLS_H_
