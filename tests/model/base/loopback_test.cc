#include "model/base/loopback.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

TEST(LoopbackTest, KnowsAddressesThatStayHere) {
  for (const char* here : {"127.0.0.1", "127.255.255.254", "localhost", "::1",
                           "[::1]", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(here)) << here;
  }
  for (const char* away :
       {"", "0.0.0.0", "::", "[::]", "10.0.0.7", "128.0.0.1", "fe80::1",
        "::ffff:10.0.0.7", "127.", "127.0.0.1.example.com", "localhost.com",
        "127.0.0.1:8001"}) {
    EXPECT_FALSE(IsLoopback(away)) << away;
  }
}

TEST(LoopbackTest, FindsTheHostOfAnAddress) {
  EXPECT_EQ(HostOf("127.0.0.1:8001"), "127.0.0.1");
  EXPECT_EQ(HostOf("[::1]:8001"), "::1");
  EXPECT_EQ(HostOf("example.com:1"), "example.com");
  EXPECT_EQ(HostOf("example.com"), "example.com");
}

}  // namespace
}  // namespace mre
