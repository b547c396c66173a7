#include "server/door/acceptor.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

// A connection to 127.0.0.1 or ::1, or -1.
int Connect(int family, int port) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<uint16_t>(port));
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = v4.sin_port;
  v6.sin6_addr = in6addr_loopback;
  const bool is_v4 = family == AF_INET;
  const auto* to = is_v4 ? reinterpret_cast<const sockaddr*>(&v4)
                         : reinterpret_cast<const sockaddr*>(&v6);
  if (connect(fd, to, is_v4 ? sizeof(v4) : sizeof(v6)) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

bool HasIpv6() {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool has =
      fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)) == 0;
  if (fd >= 0) close(fd);
  return has;
}

// Whether the other side hangs up.
bool HungUp(int fd) {
  char byte = 0;
  return read(fd, &byte, 1) <= 0;
}

// Takes connections and keeps them.
class Guests {
 public:
  ~Guests() {
    for (const int fd : fds_) close(fd);
  }
  Acceptor::Take Take() {
    return [this](int /*listener*/, int connection) {
      absl::MutexLock lock(&mu_);
      fds_.push_back(connection);
    };
  }
  void Await(size_t count) {
    const auto enough = [&] {
      mu_.AssertHeld();
      return fds_.size() >= count;
    };
    absl::MutexLock lock(&mu_);
    EXPECT_TRUE(
        mu_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(60)));
  }

 private:
  absl::Mutex mu_;
  std::vector<int> fds_ ABSL_GUARDED_BY(mu_);
};

TEST(ListenerTest, SaysWhyNot) {
  ASSERT_OK_AND_ASSIGN(const Listener taken,
                       Listener::Open("127.0.0.1", 0, absl::ZeroDuration()));
  EXPECT_GT(taken.port(), 0);
  EXPECT_THAT(
      Listener::Open("127.0.0.1", taken.port(), absl::ZeroDuration()).status(),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("already in use")));
  EXPECT_THAT(
      Listener::Open("no.such.host.invalid", 0, absl::ZeroDuration()).status(),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no.such.host")));
}

TEST(ListenerTest, AnyAddressIsBothKinds) {
  for (const char* any : {"0.0.0.0", "::"}) {
    if (!HasIpv6() && absl::string_view(any) == "::") continue;
    ASSERT_OK_AND_ASSIGN(const Listener listener,
                         Listener::Open(any, 0, absl::Seconds(20)));
    const int v4 = Connect(AF_INET, listener.port());
    EXPECT_GE(v4, 0) << any;
    close(v4);
    if (!HasIpv6()) continue;
    const int v6 = Connect(AF_INET6, listener.port());
    EXPECT_GE(v6, 0) << any;
    close(v6);
  }
}

TEST(AcceptorTest, RefusesMoreThanTheLimitUntilOneGoes) {
  Guests guests;
  Connections connections(2);
  ASSERT_OK_AND_ASSIGN(Listener listener,
                       Listener::Open("127.0.0.1", 0, absl::ZeroDuration()));
  Acceptor acceptor(std::move(listener), &connections, guests.Take());
  const int first = Connect(AF_INET, acceptor.port());
  const int second = Connect(AF_INET, acceptor.port());
  guests.Await(2);
  const int third = Connect(AF_INET, acceptor.port());
  if (third >= 0) {
    EXPECT_TRUE(HungUp(third));
    close(third);
  }
  EXPECT_EQ(connections.refused(), 1);
  EXPECT_EQ(connections.open(), 2);
  close(first);
  close(second);
}

TEST(AcceptorTest, NobodyListensAfterStop) {
  Guests guests;
  Connections connections(10);
  ASSERT_OK_AND_ASSIGN(Listener listener,
                       Listener::Open("127.0.0.1", 0, absl::ZeroDuration()));
  Acceptor acceptor(std::move(listener), &connections, guests.Take());
  const int before = Connect(AF_INET, acceptor.port());
  EXPECT_GE(before, 0);
  guests.Await(1);
  acceptor.Stop();
  EXPECT_EQ(Connect(AF_INET, acceptor.port()), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(connections.open(), 1);
  close(before);
}

}  // namespace
}  // namespace mre
