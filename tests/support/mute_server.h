// A server that takes connections and says nothing.
#ifndef MRE_TESTS_SUPPORT_MUTE_SERVER_H_
#define MRE_TESTS_SUPPORT_MUTE_SERVER_H_

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace mre {

// Listens on a free port of 127.0.0.1 until destroyed.
class MuteServer {
 public:
  MuteServer() {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    auto* const generic = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(bind(listener_, generic, size), 0);
    EXPECT_EQ(listen(listener_, 100), 0);
    EXPECT_EQ(getsockname(listener_, generic, &size), 0);
  }
  MuteServer(const MuteServer&) = delete;
  MuteServer& operator=(const MuteServer&) = delete;
  ~MuteServer() { close(listener_); }

  std::string target() const {
    return absl::StrCat("127.0.0.1:", ntohs(address_.sin_port));
  }
  // Waits for a connection, which is its caller's to close.
  int Accept() { return accept(listener_, nullptr, nullptr); }
  // Hangs up on all that have come, and counts them.
  int HangUp() {
    int connections = 0;
    pollfd waiting = {.fd = listener_, .events = POLLIN, .revents = 0};
    for (; poll(&waiting, 1, 0) > 0; ++connections) close(Accept());
    return connections;
  }

 private:
  const int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address_ = {};
};

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_MUTE_SERVER_H_
