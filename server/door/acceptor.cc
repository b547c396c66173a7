#include "server/door/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/clock.h"
#include "model/base/log.h"

namespace mre {
namespace {

// Connections of one socket that are taken in a row.
constexpr int kBatch = 64;
constexpr absl::Duration kWarnEvery = absl::Seconds(10);
// How long the system gets when it has no memory, or nothing can be refused.
constexpr absl::Duration kPause = absl::Milliseconds(50);

int OpenReserve() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// With a reset, so that no port stays taken here.
void Reset(int connection) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(connection);
}

}  // namespace

Acceptor::Acceptor(Listener listener, Connections* connections, Take take)
    : listener_(std::move(listener)),
      connections_(connections),
      take_(std::move(take)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      reserve_(OpenReserve()),
      may_warn_(Clock::Real()->Now()),
      thread_([this] { Run(); }) {}

Acceptor::~Acceptor() {
  Stop();
  if (reserve_ >= 0) close(reserve_);
  close(wake_);
}

void Acceptor::Stop() {
  if (!thread_.joinable()) return;
  eventfd_write(wake_, 1);
  thread_.join();
  for (const int socket : listener_.sockets()) shutdown(socket, SHUT_RD);
}

void Acceptor::Run() {
  std::vector<pollfd> polled = {{.fd = wake_, .events = POLLIN, .revents = 0}};
  for (const int socket : listener_.sockets()) {
    polled.push_back({.fd = socket, .events = POLLIN, .revents = 0});
  }
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) {
      absl::SleepFor(kPause);
      continue;
    }
    if (polled[0].revents != 0) return;
    for (const pollfd& socket : polled) {
      if (socket.revents != 0) AcceptFrom(socket.fd);
    }
  }
}

void Acceptor::AcceptFrom(int listener) {
  for (int i = 0; i < kBatch; ++i) {
    const int connection =
        accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection >= 0) {
      if (connections_->Add(connection)) {
        take_(listener, connection);
      } else {
        Refuse(connection, "as many are open as may be, --max_connections");
      }
      continue;
    }
    switch (errno) {
      case EMFILE:
      case ENFILE:
        RefuseWithoutDescriptor(listener);
        break;
      case ENOBUFS:
      case ENOMEM:
        absl::SleepFor(kPause);
        return;
      case EAGAIN:
        return;
      default:
        // The client has gone already, or its network has: for the next one.
        break;
    }
  }
}

void Acceptor::Refuse(int connection, const char* why) {
  connections_->CountRefused();  // before the client can know
  Reset(connection);
  const int64_t refused = connections_->refused();
  const absl::Time now = Clock::Real()->Now();
  if (now < may_warn_) return;
  may_warn_ = now + kWarnEvery;
  Log(Severity::kWarning,
      absl::StrCat("refused ", refused - refused_told_, " connections: ", why));
  refused_told_ = refused;
}

void Acceptor::RefuseWithoutDescriptor(int listener) {
  if (reserve_ >= 0) close(reserve_);
  const int connection =
      accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  const bool accepted = connection >= 0;
  if (accepted) Refuse(connection, "the process has no more file descriptors");
  reserve_ = OpenReserve();
  // Somebody else took the descriptor: wait for one, rather than spin.
  if (!accepted || reserve_ < 0) absl::SleepFor(kPause);
}

}  // namespace mre
