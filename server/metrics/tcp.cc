#include "server/metrics/tcp.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/listen_error.h"

namespace mre {
namespace {

// Calls use(socket, address) for the first address that "HOST:PORT" stands for;
// `use` returns 0 or sets errno. The error says what went wrong.
template <typename Use>
absl::Status WithSocket(absl::string_view address, Use use) {
  const size_t colon = address.rfind(':');
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  const std::string port(address.substr(colon + 1));
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(std::string(host).c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(address, ": ", gai_strerror(error)));
  }
  const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
  absl::Status status;
  if (fd < 0 || use(fd, *found) != 0) {
    status = ListenError(address, errno);
  }
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  return status;
}

}  // namespace

absl::Status CheckCanListen(absl::string_view address) {
  return WithSocket(address, [](int fd, const addrinfo& to) {
    // As servers do, so that a port that was left a moment ago can be had.
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const int bound = bind(fd, to.ai_addr, to.ai_addrlen);
    return bound != 0 ? bound : listen(fd, 1);
  });
}

void ConnectOnce(absl::string_view address) {
  WithSocket(address, [](int fd, const addrinfo& to) {
    return connect(fd, to.ai_addr, to.ai_addrlen);
  }).IgnoreError();
}

}  // namespace mre
