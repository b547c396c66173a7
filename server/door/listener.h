// The sockets that a server listens on.
#ifndef MRE_SERVER_DOOR_LISTENER_H_
#define MRE_SERVER_DOOR_LISTENER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mre {

// Closes its sockets when destroyed. Movable.
class Listener {
 public:
  // Listens on every address that `host` (a name, or an address of either kind
  // without brackets) stands for, on one port; 0 takes a free one. 0.0.0.0 and
  // :: both mean every address of both kinds, where the machine has both. What
  // is sent and not acknowledged for `user_timeout` ends a connection; zero:
  // the system's own limit. UNAVAILABLE, with the system's reason, when no
  // address can be had.
  static absl::StatusOr<Listener> Open(const std::string& host, int port,
                                       absl::Duration user_timeout);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int port() const { return port_; }
  // Do not block.
  const std::vector<int>& sockets() const { return sockets_; }

 private:
  Listener() = default;

  std::vector<int> sockets_;
  int port_ = 0;
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_LISTENER_H_
