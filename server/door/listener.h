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
  // Takes every address that `host` (a name, or an address of either kind
  // without brackets) stands for, on one port; 0 takes a free one. 0.0.0.0 and
  // :: both mean every address of both kinds, where the machine has both. Who
  // connects is refused until Listen(). What is sent and not acknowledged for
  // `user_timeout` ends a connection; zero: the system's own limit.
  //
  // An address that this machine does not have is left out where there is
  // another; one that is in use is an error. Errors are those of ListenError;
  // INVALID_ARGUMENT for a name that is none.
  static absl::StatusOr<Listener> Bind(const std::string& host, int port,
                                       absl::Duration user_timeout);

  // From now on connections come in.
  absl::Status Listen() const;

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int port() const { return port_; }
  // Do not block.
  const std::vector<int>& sockets() const { return sockets_; }

 private:
  Listener(std::string host, int port);
  absl::Status Error(int error) const;

  std::string host_;
  int port_;
  std::vector<int> sockets_;
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_LISTENER_H_
