#include "server/service/open_calls.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"

namespace mre {
namespace {

using testing::HasSubstr;

// One without a transport.
class FakeCall : public OpenCall {
 public:
  explicit FakeCall(const Clock& clock, AtDrain at_drain = AtDrain::kIsTold)
      : OpenCall(nullptr, clock, at_drain) {}
  void Drain() override { ++drained; }
  std::string CutOff() override {
    ++cut_off;
    return "somebody";
  }
  using OpenCall::SendBegins;
  using OpenCall::SendEnds;

  int drained = 0;
  int cut_off = 0;
};

class OpenCallsTest : public testing::Test {
 protected:
  // What is logged meanwhile.
  std::string CutOffStalled() {
    testing::internal::CaptureStderr();
    calls_.CutOffStalled();
    return testing::internal::GetCapturedStderr();
  }

  FakeClock clock_;
  OpenCalls calls_{absl::Seconds(60), &clock_};
};

TEST_F(OpenCallsTest, WhoTakesOneMessageForTooLongIsCutOffOnce) {
  FakeCall call(clock_);
  calls_.Enter(&call);
  call.SendBegins();
  clock_.Advance(absl::Seconds(59));
  EXPECT_EQ(CutOffStalled(), "");
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(CutOffStalled(), HasSubstr(" peer=somebody\n"));
  EXPECT_EQ(call.cut_off, 1);
  clock_.Advance(absl::Seconds(100));
  EXPECT_EQ(CutOffStalled(), "");
  EXPECT_EQ(call.cut_off, 1);
  calls_.Leave(&call);
}

TEST_F(OpenCallsTest, WhoReadsSlowlyButSteadilyIsNot) {
  FakeCall call(clock_);
  calls_.Enter(&call);
  for (int i = 0; i < 10; ++i) {
    call.SendBegins();
    clock_.Advance(absl::Seconds(50));
    calls_.CutOffStalled();
    call.SendEnds();
    call.SendBegins();  // the next message waits already
    calls_.CutOffStalled();
  }
  call.SendEnds();
  clock_.Advance(absl::Hours(1));  // has nothing to say
  calls_.CutOffStalled();
  EXPECT_EQ(call.cut_off, 0);
  calls_.Leave(&call);
}

TEST_F(OpenCallsTest, WithoutALimitNobodyIs) {
  OpenCalls calls(absl::InfiniteDuration(), &clock_);
  FakeCall call(clock_);
  calls.Enter(&call);
  call.SendBegins();
  clock_.Advance(absl::Hours(24 * 365));
  calls.CutOffStalled();
  EXPECT_EQ(call.cut_off, 0);
  calls.Leave(&call);
}

TEST_F(OpenCallsTest, ManyAtOnceAreTenLinesAndTheirNumber) {
  std::vector<std::unique_ptr<FakeCall>> stalled;
  for (int i = 0; i < 1000; ++i) {
    stalled.push_back(std::make_unique<FakeCall>(clock_));
    calls_.Enter(stalled.back().get());
    stalled.back()->SendBegins();
  }
  clock_.Advance(absl::Seconds(60));
  const std::string lines = CutOffStalled();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'),
            OpenCalls::kLinesASecond + 1);
  EXPECT_THAT(lines, HasSubstr(absl::StrCat(
                         " calls=", 1000 - OpenCalls::kLinesASecond, "\n")));
  for (const auto& call : stalled) {
    EXPECT_EQ(call->cut_off, 1);
    calls_.Leave(call.get());
  }
}

TEST_F(OpenCallsTest, ADrainTellsThoseThatAreToBeTold) {
  FakeCall before(clock_), by_itself(clock_, OpenCall::AtDrain::kEndsByItself);
  calls_.Enter(&before);
  calls_.Enter(&by_itself);
  EXPECT_FALSE(calls_.leaving());
  calls_.TellLeaving();
  EXPECT_TRUE(calls_.leaving());
  EXPECT_EQ(before.drained, 0);
  calls_.Drain();
  FakeCall later(clock_);
  calls_.Enter(&later);
  EXPECT_EQ(before.drained, 1);
  EXPECT_EQ(later.drained, 1);
  EXPECT_EQ(by_itself.drained, 0);
  EXPECT_FALSE(calls_.AwaitNone(absl::ZeroDuration()));
  for (FakeCall* call : {&before, &by_itself, &later}) calls_.Leave(call);
  EXPECT_TRUE(calls_.AwaitNone(absl::ZeroDuration()));
}

}  // namespace
}  // namespace mre
