// Tells requests that their outboxes have something new, on a thread of its
// own, so that the engine thread does not wait for the transport: the first
// write of a call takes as long as several steps.
#ifndef MRE_SERVER_SCHEDULE_NOTIFIER_H_
#define MRE_SERVER_SCHEDULE_NOTIFIER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/schedule/request.h"

namespace mre {

// Thread-safe. What it holds is bounded by the requests that are alive: each is
// here once at most (Request::Touch).
class Notifier {
 public:
  // `on_told` is called on its thread after some have been told, and so owed()
  // may have fallen.
  explicit Notifier(std::function<void()> on_told);
  // Tells those that were pushed before, then ends.
  ~Notifier();

  // Calls Notify of each, in this order, as soon as those before are told.
  // Empties `requests`. REQUIRES: Touch was true of each.
  void Push(std::vector<std::shared_ptr<Request>>& requests);
  // The same at once, on the calling thread.
  void TellNow(Request& request);

  // Requests of which every row has its final prediction and that have not been
  // told so. Owe: `requests` more are, and are pushed or told after this.
  void Owe(int64_t requests) { owed_.fetch_add(requests); }
  int64_t owed() const { return owed_.load(); }

 private:
  void Run();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return shutdown_ || !waiting_.empty();
  }

  const std::function<void()> on_told_;
  std::atomic<int64_t> owed_{0};
  absl::Mutex mu_;
  std::vector<std::shared_ptr<Request>> waiting_ ABSL_GUARDED_BY(mu_);
  bool shutdown_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace mre

#endif  // MRE_SERVER_SCHEDULE_NOTIFIER_H_
