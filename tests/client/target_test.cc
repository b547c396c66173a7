#include "client/cc/target.h"

#include <gmock/gmock.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cc/client.h"
#include "tests/client/fake_server.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

constexpr char kService[] = "mre.v1.AnytimeInference";

TEST(ParseTargetTest, OneAddressIsLeftToGrpc) {
  const auto target = ParseTarget("nobody.example:8001");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->uri, "nobody.example:8001");
  EXPECT_FALSE(target->several);
}

TEST(ParseTargetTest, SeveralAreLookedUp) {
  const auto ipv4 = ParseTarget("127.0.0.1:8001,127.0.0.2:65535");
  ASSERT_TRUE(ipv4.ok()) << ipv4.status();
  EXPECT_EQ(ipv4->uri, "ipv4:127.0.0.1:8001,127.0.0.2:65535");
  EXPECT_TRUE(ipv4->several);
  const auto ipv6 = ParseTarget("[::1]:1,[::2]:2");
  ASSERT_TRUE(ipv6.ok()) << ipv6.status();
  EXPECT_EQ(ipv6->uri, "ipv6:[::1]:1,[::2]:2");
}

TEST(ParseTargetTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"", ",", "a", "a:1,", ",a:1", "127.0.0.1:1,b",
                           "127.0.0.1:1,:2", "127.0.0.1:1,127.0.0.1:0"}) {
    EXPECT_EQ(ParseTarget(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
  for (const char* text : {"::1:8001", "[::1:8001", "::1]:8001", ":::1"}) {
    EXPECT_THAT(std::string(ParseTarget(text).status().message()),
                HasSubstr("[::1]:8001"))
        << text;
  }
  EXPECT_EQ(ParseTarget("[::1]:8001")->uri, "[::1]:8001");
  EXPECT_THAT(
      std::string(ParseTarget("127.0.0.1:1,[::1]:2").status().message()),
      HasSubstr("all have an IPv4 address, or all an IPv6 address"));
}

class SeveralServersTest : public testing::Test {
 protected:
  void SetUp() override {
    for (FakeServer* server : {&one_, &other_}) SetServing(*server, true);
    ClientOptions options;
    options.target = absl::StrCat(one_.target(), ",", other_.target());
    auto client = Client::Connect(options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    while (one_.service().calls() == 0 || other_.service().calls() == 0) {
      ASSERT_TRUE(Ask());
    }
  }

  static void SetServing(FakeServer& server, bool serving) {
    server.server().GetHealthCheckService()->SetServingStatus(kService,
                                                              serving);
  }

  bool Ask() const {
    v1::PredictRequest request;
    request.set_model_name("fake");
    request.mutable_budget()->set_max_steps(1);
    return client_->Predict(request).ok();
  }

  // Asks until `count` calls in a row went well and none to `server`.
  void AskUntilLeftOut(const FakeServer& server, int count) const {
    for (int calls = 0, in_a_row = 0; in_a_row < count; ++calls) {
      ASSERT_LT(calls, 100'000) << "it is asked again and again";
      const int before = server.service().calls();
      in_a_row = Ask() && server.service().calls() == before ? in_a_row + 1 : 0;
    }
  }

  FakeServer one_;
  FakeServer other_;
  std::unique_ptr<Client> client_;
};

TEST_F(SeveralServersTest, OneThatIsNotServingIsLeftOutUntilItIs) {
  SetServing(one_, false);
  AskUntilLeftOut(one_, 100);
  SetServing(one_, true);
  const int before = one_.service().calls();
  while (one_.service().calls() == before) ASSERT_TRUE(Ask());
}

TEST_F(SeveralServersTest, OneThatIsGoneIsLeftOut) {
  one_.server().Shutdown(std::chrono::system_clock::now());
  AskUntilLeftOut(one_, 100);
}

}  // namespace
}  // namespace mre
