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
#include "absl/time/clock.h"
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
    for (const int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }
  Acceptor::Take Take() {
    return [this](int /*listener*/, int connection) {
      absl::MutexLock lock(&mu_);
      fds_.push_back(connection);
    };
  }
  // Whether as many have come.
  bool Await(size_t count, absl::Duration limit = absl::Seconds(60)) {
    const auto enough = [&] {
      mu_.AssertHeld();
      return fds_.size() >= count;
    };
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&enough), limit);
  }
  void SendOneHome() {
    absl::MutexLock lock(&mu_);
    close(std::exchange(fds_.front(), -1));
  }

 private:
  absl::Mutex mu_;
  std::vector<int> fds_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<Listener> Listen(const std::string& host) {
  auto listener = Listener::Bind(host, 0, absl::ZeroDuration());
  if (!listener.ok()) return listener;
  const absl::Status listens = listener->Listen();
  if (!listens.ok()) return listens;
  return listener;
}

TEST(ListenerTest, SaysWhyNot) {
  ASSERT_OK_AND_ASSIGN(const Listener taken, Listen("127.0.0.1"));
  EXPECT_GT(taken.port(), 0);
  const auto bind = [](const std::string& host, int port) {
    return Listener::Bind(host, port, absl::ZeroDuration()).status();
  };
  EXPECT_THAT(
      bind("127.0.0.1", taken.port()),
      StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("already in use")));
  EXPECT_THAT(bind("192.0.2.1", 0),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("192.0.2.1:0: Cannot assign")));
  // No resolver is needed to know that it is none.
  EXPECT_THAT(bind("-", 0), StatusIs(absl::StatusCode::kInvalidArgument,
                                     HasSubstr("-: Name or service")));
}

// Half of a name must not be another server's.
TEST(ListenerTest, AnAddressInUseIsAnErrorThoughAnotherIsFree) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  ASSERT_OK_AND_ASSIGN(const Listener both,
                       Listener::Bind("localhost", 0, absl::ZeroDuration()));
  if (both.sockets().size() < 2) {
    GTEST_SKIP() << "localhost is one address here";
  }
  for (const char* one : {"127.0.0.1", "::1"}) {
    ASSERT_OK_AND_ASSIGN(const Listener taken, Listen(one));
    EXPECT_THAT(
        Listener::Bind("localhost", taken.port(), absl::ZeroDuration())
            .status(),
        StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("localhost")))
        << one;
  }
}

TEST(ListenerTest, RefusesUntilItListens) {
  ASSERT_OK_AND_ASSIGN(const Listener listener,
                       Listener::Bind("127.0.0.1", 0, absl::ZeroDuration()));
  EXPECT_EQ(Connect(AF_INET, listener.port()), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  // Nobody else can have the port meanwhile.
  EXPECT_THAT(Listener::Bind("127.0.0.1", listener.port(), absl::ZeroDuration())
                  .status(),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("in use")));
  ASSERT_THAT(listener.Listen(), IsOk());
  const int fd = Connect(AF_INET, listener.port());
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST(ListenerTest, AnyAddressIsBothKinds) {
  for (const char* any : {"0.0.0.0", "::"}) {
    if (!HasIpv6() && absl::string_view(any) == "::") continue;
    ASSERT_OK_AND_ASSIGN(const Listener listener, Listen(any));
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
  ASSERT_OK_AND_ASSIGN(Listener listener, Listen("127.0.0.1"));
  Acceptor acceptor(std::move(listener), &connections, guests.Take());
  const int first = Connect(AF_INET, acceptor.port());
  const int second = Connect(AF_INET, acceptor.port());
  ASSERT_TRUE(guests.Await(2));
  const int third = Connect(AF_INET, acceptor.port());
  if (third >= 0) {
    EXPECT_TRUE(HungUp(third));
    close(third);
  }
  EXPECT_EQ(connections.refused(), 1);
  EXPECT_EQ(connections.open(), 2);
  guests.SendOneHome();
  std::vector<int> later;
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  do {
    later.push_back(Connect(AF_INET, acceptor.port()));
  } while (!guests.Await(3, absl::Milliseconds(50)) && absl::Now() < deadline);
  EXPECT_TRUE(guests.Await(3));
  EXPECT_EQ(connections.open(), 2);
  for (const int fd : later) {
    if (fd >= 0) close(fd);
  }
  close(first);
  close(second);
}

TEST(AcceptorTest, NobodyListensAfterStop) {
  Guests guests;
  Connections connections(10);
  ASSERT_OK_AND_ASSIGN(Listener listener, Listen("127.0.0.1"));
  Acceptor acceptor(std::move(listener), &connections, guests.Take());
  const int before = Connect(AF_INET, acceptor.port());
  EXPECT_GE(before, 0);
  ASSERT_TRUE(guests.Await(1));
  acceptor.Stop();
  EXPECT_EQ(Connect(AF_INET, acceptor.port()), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(connections.open(), 1);
  close(before);
}

}  // namespace
}  // namespace mre
