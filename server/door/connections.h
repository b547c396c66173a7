// The connections that were handed to gRPC: how many are still open, and
// whether there may be one more.
#ifndef MRE_SERVER_DOOR_CONNECTIONS_H_
#define MRE_SERVER_DOOR_CONNECTIONS_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/clock.h"

namespace mre {

// Nobody says when gRPC closes a connection, so they are looked at: a
// descriptor is still that of the connection when it has the same inode, which
// no two sockets share. Thread-safe.
class Connections {
 public:
  // REQUIRES: limit >= 1.
  explicit Connections(int limit, const Clock* clock = Clock::Real())
      : limit_(static_cast<size_t>(limit)), clock_(clock) {}

  // False when as many are open as may be. At the limit those that were closed
  // are looked for every 100 ms at most, so a place may be free a little
  // earlier than it is given away. `socket` is open and stays its caller's.
  bool Add(int socket);

  void CountRefused() { refused_.fetch_add(1, std::memory_order_relaxed); }

  // Looks at all of them: about half a microsecond each.
  int64_t open();
  int64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  int limit() const { return static_cast<int>(limit_); }

 private:
  void ForgetClosed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t limit_;
  const Clock* const clock_;
  std::atomic<int64_t> refused_{0};

  absl::Mutex mu_;
  // Those open at the last look, and those added since.
  std::vector<std::pair<int, ino_t>> sockets_ ABSL_GUARDED_BY(mu_);
  absl::Time looked_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_CONNECTIONS_H_
