// Takes connections and hands them to gRPC, up to a limit.
//
// gRPC 1.51 has no such limit, and its own listener stops for ever when the
// process is once out of file descriptors (CVE-2023-4785).
#ifndef MRE_SERVER_DOOR_ACCEPTOR_H_
#define MRE_SERVER_DOOR_ACCEPTOR_H_

#include <cstdint>
#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "server/door/connections.h"
#include "server/door/listener.h"

namespace mre {

// Thread-safe.
class Acceptor {
 public:
  // Called on the acceptor's thread; owns `connection` from then on.
  using Take = std::function<void(int listener, int connection)>;

  // Accepts on a thread of its own until destroyed. A connection for which
  // `connections`, which outlives this, has no room, or the process no
  // descriptor, is reset at once, counted, and told to the log now and then.
  Acceptor(Listener listener, Connections* connections, Take take);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();

  // Takes no more connections: who connects from now on is told that nobody
  // listens. Those that were taken stay. One thread may call it, again too.
  void Stop();

  int port() const { return listener_.port(); }

 private:
  void Run();
  // Takes what waits at one socket, up to a few.
  void AcceptFrom(int listener);
  void Refuse(int connection, const char* why);
  // There is no descriptor for who waits at `listener`.
  void RefuseWithoutDescriptor(int listener);

  const Listener listener_;
  Connections* const connections_;
  const Take take_;
  const int wake_;  // an eventfd: written to, the thread ends

  // Of the thread.
  int reserve_ = -1;     // a descriptor kept for the day when there is no other
  absl::Time may_warn_;  // from then on
  int64_t refused_told_ = 0;

  std::thread thread_;
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_ACCEPTOR_H_
