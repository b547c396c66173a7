#include "server/door/connections.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "server/door/limits.h"
#include "tests/support/fake_clock.h"

namespace mre {
namespace {

int MakeSocket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

TEST(ConnectionsTest, CountsThoseThatAreStillOpen) {
  Connections connections(10);
  const int first = MakeSocket();
  const int second = MakeSocket();
  EXPECT_TRUE(connections.Add(first));
  EXPECT_TRUE(connections.Add(second));
  EXPECT_EQ(connections.open(), 2);
  close(first);
  EXPECT_EQ(connections.open(), 1);
  // Another one under the number of the first.
  const int third = MakeSocket();
  EXPECT_EQ(third, first);
  EXPECT_EQ(connections.open(), 1);
  close(second);
  close(third);
  EXPECT_EQ(connections.open(), 0);
}

TEST(ConnectionsTest, AtTheLimitLooksNowAndThen) {
  FakeClock clock;
  Connections connections(2, &clock);
  const std::vector<int> sockets = {MakeSocket(), MakeSocket(), MakeSocket()};
  EXPECT_TRUE(connections.Add(sockets[0]));
  EXPECT_TRUE(connections.Add(sockets[1]));
  EXPECT_FALSE(connections.Add(sockets[2]));
  close(sockets[0]);
  EXPECT_FALSE(connections.Add(sockets[2]));  // has just looked
  clock.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(connections.Add(sockets[2]));
  EXPECT_FALSE(connections.Add(sockets[2]));
  close(sockets[1]);
  close(sockets[2]);
}

TEST(ConnectionLimitTest, LeavesRoomForOtherFiles) {
  EXPECT_EQ(ConnectionLimit(10000, 1 << 20), 10000);
  EXPECT_EQ(ConnectionLimit(10000, 10256), 10000);
  EXPECT_EQ(ConnectionLimit(10000, 10255), 9999);
  EXPECT_EQ(ConnectionLimit(10000, 1024), 768);
  EXPECT_EQ(ConnectionLimit(10000, 100), 50);
  EXPECT_EQ(ConnectionLimit(10000, 1), 1);
  EXPECT_EQ(ConnectionLimit(3, 1024), 3);
}

}  // namespace
}  // namespace mre
