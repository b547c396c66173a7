#include "server/door/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/listen_error.h"

namespace mre {
namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage); }
  sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(storage); }

  int port() const {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    return ntohs(storage.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
  }
  void set_port(int port) {
    const in_port_t wire = htons(static_cast<uint16_t>(port));
    (storage.ss_family == AF_INET6 ? v6().sin6_port : v4().sin_port) = wire;
  }
  bool any() {
    return storage.ss_family == AF_INET6
               ? IN6_IS_ADDR_UNSPECIFIED(&v6().sin6_addr)
               : v4().sin_addr.s_addr == INADDR_ANY;
  }
};

Address AnyV6() {
  Address any;
  any.storage.ss_family = AF_INET6;
  any.v6().sin6_addr = in6addr_any;
  any.size = sizeof(sockaddr_in6);
  return any;
}

// Of both kinds, each once.
absl::StatusOr<std::vector<Address>> Resolve(const std::string& host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), "0", &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(host, ": ", gai_strerror(error)));
  }
  std::vector<Address> addresses;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6) continue;
    Address address;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    address.size = info->ai_addrlen;
    bool known = false;
    for (const Address& other : addresses) {
      known |= std::memcmp(&other.storage, &address.storage,
                           sizeof(address.storage)) == 0;
    }
    if (!known) addresses.push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

// A socket of this address, or -1 with errno. What is set here its connections
// inherit.
int BindTo(const Address& address, absl::Duration user_timeout) {
  const int fd = socket(address.storage.ss_family,
                        SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  // So that a port that was left a moment ago can be had.
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (user_timeout > absl::ZeroDuration()) {
    SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
              static_cast<int>(absl::ToInt64Milliseconds(user_timeout)));
  }
  if (address.storage.ss_family == AF_INET6) {
    // IPv4 too, where the address takes it in (::).
    SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (bind(fd, address.get(), address.size) == 0) {
    // Nobody else may bind it too, as they might to one that does not listen.
    SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 0);
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int PortOf(int fd) {
  Address bound;
  bound.size = sizeof(bound.storage);
  if (getsockname(fd, bound.get(), &bound.size) != 0) return 0;
  return bound.port();
}

// A socket for each of `addresses` that this machine has, in `sockets`, all of
// one port: *port, or if that is 0 a free one, put there. 0 or an errno, and
// then no socket.
int BindAll(std::vector<Address>& addresses, absl::Duration user_timeout,
            int* port, std::vector<int>* sockets) {
  int taken = *port;
  int error = 0;
  for (Address& address : addresses) {
    address.set_port(taken);
    const int fd = BindTo(address, user_timeout);
    if (fd < 0) {
      if (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT) continue;
      error = errno;
      break;
    }
    sockets->push_back(fd);
    if (taken == 0) taken = PortOf(fd);
    if (address.any()) break;
  }
  if (error == 0 && sockets->empty()) error = EADDRNOTAVAIL;
  if (error == 0) {
    *port = taken;
    return 0;
  }
  for (const int fd : *sockets) close(fd);
  sockets->clear();
  return error;
}

}  // namespace

absl::StatusOr<Listener> Listener::Bind(const std::string& host, int port,
                                        absl::Duration user_timeout) {
  auto resolved = Resolve(host);
  if (!resolved.ok()) return resolved.status();
  std::vector<Address> addresses = *std::move(resolved);
  // Only where there is no IPv6 the IPv4 address is tried.
  if (addresses.size() == 1 && addresses[0].any()) {
    addresses.insert(addresses.begin(), AnyV6());
  }
  Listener listener(host, port);
  // A port that is free at the first address may be in use at the second.
  int tries = port == 0 ? 16 : 1;
  int error = 0;
  do {
    error =
        BindAll(addresses, user_timeout, &listener.port_, &listener.sockets_);
  } while (error == EADDRINUSE && --tries > 0);
  if (error != 0) return listener.Error(error);
  return listener;
}

absl::Status Listener::Listen() const {
  for (const int fd : sockets_) {
    SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (listen(fd, SOMAXCONN) != 0) return Error(errno);
  }
  return absl::OkStatus();
}

absl::Status Listener::Error(int error) const {
  return ListenError(absl::StrCat(host_, ":", port_), error);
}

Listener::Listener(std::string host, int port)
    : host_(std::move(host)), port_(port) {}

Listener::Listener(Listener&& other) noexcept
    : host_(std::move(other.host_)),
      port_(other.port_),
      sockets_(std::exchange(other.sockets_, {})) {}

Listener::~Listener() {
  for (const int fd : sockets_) close(fd);
}

}  // namespace mre
