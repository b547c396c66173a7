// Many requests on one stream, steered while they run.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::HasSubstr;

class InteractiveTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(WriteToRepository(root_.path(), kQuick, 1,
                                  RandomModel(FashionConfig(), 1)),
                IsOk());
    ModelConfig slow = SlowConfig();
    slow.classes = ManyClasses();
    ASSERT_THAT(WriteToRepository(root_.path(), kSlow, 1, RandomModel(slow, 1)),
                IsOk());
    ASSERT_OK_AND_ASSIGN(
        server_, ServerProcess::StartOn(
                     root_.path(), {"--brownout=off", "--max_queue_ms=0"}));
    client_ = server_->Connect();
    ASSERT_NE(client_, nullptr);
    session_ = client_->OpenSession();
  }

  static v1::PredictRequest Named(const std::string& id,
                                  const std::string& model) {
    v1::PredictRequest request = MakeRequest(model);
    request.set_request_id(id);
    return request;
  }

  // One whose rows pause until they are read.
  static v1::PredictRequest Waiting(const std::string& id, int64_t rows) {
    v1::PredictRequest request = MakeRequest(kSlow, rows);
    request.set_request_id(id);
    request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
    request.mutable_output()->set_probabilities(true);
    return request;
  }

  // Reads to the stream's end: the last update of each request.
  absl::Status ReadAll(std::map<std::string, v1::PredictUpdate>& last) {
    while (true) {
      ASSIGN_OR_RETURN(const auto update, session_->Read());
      if (!update.has_value()) return absl::OkStatus();
      last[update->request_id()] = *update;
    }
  }

  // The first update that `wanted` holds for.
  absl::StatusOr<v1::PredictUpdate> ReadUntil(
      const std::function<bool(const v1::PredictUpdate&)>& wanted) {
    while (true) {
      ASSIGN_OR_RETURN(const auto update, session_->Read());
      if (!update.has_value()) return absl::NotFoundError("the stream ended");
      if (wanted(*update)) return *update;
    }
  }

  static v1::StopReason Reason(const v1::PredictUpdate& update) {
    if (update.predictions().empty()) return v1::STOP_REASON_UNSPECIFIED;
    return update.predictions(update.predictions_size() - 1).stop_reason();
  }

  const TempDir root_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<InteractiveSession> session_;
};

TEST_F(InteractiveTest, EachRequestIsSteeredByItsName) {
  ASSERT_THAT(session_->Open(Named("runs", kQuick)), IsOk());
  ASSERT_THAT(session_->Open(Waiting("stopped", 16)), IsOk());
  ASSERT_THAT(session_->Open(Waiting("shortened", 16)), IsOk());
  ASSERT_THAT(session_->Stop("stopped"), IsOk());
  v1::Budget budget;
  budget.set_max_steps(3);
  ASSERT_THAT(session_->SetBudget("shortened", budget), IsOk());
  ASSERT_THAT(session_->Stop("never opened"), IsOk());  // no error: too late
  ASSERT_THAT(session_->CloseWrites(), IsOk());
  std::map<std::string, v1::PredictUpdate> last;
  ASSERT_THAT(ReadAll(last), IsOk());
  ASSERT_EQ(last.size(), 3u);
  EXPECT_EQ(Reason(last["runs"]), v1::STOP_REASON_EXHAUSTED);
  EXPECT_EQ(Reason(last["stopped"]), v1::STOP_REASON_CLIENT_STOP);
  EXPECT_EQ(Reason(last["shortened"]), v1::STOP_REASON_MAX_STEPS);
}

TEST_F(InteractiveTest, ARefusedRequestLeavesTheOthersAlone) {
  ASSERT_THAT(session_->Open(Named("good", kQuick)), IsOk());
  ASSERT_THAT(session_->Open(Named("bad", "nobody")), IsOk());
  v1::PredictRequest shape = Named("shape", kQuick);
  shape.mutable_input()->set_shape(1, 3);
  ASSERT_THAT(session_->Open(shape), IsOk());
  ASSERT_THAT(session_->Open(Named("later", kQuick)), IsOk());
  ASSERT_THAT(session_->CloseWrites(), IsOk());
  std::map<std::string, v1::PredictUpdate> last;
  ASSERT_THAT(ReadAll(last), IsOk());
  EXPECT_EQ(Reason(last["good"]), v1::STOP_REASON_EXHAUSTED);
  EXPECT_EQ(Reason(last["later"]), v1::STOP_REASON_EXHAUSTED);
  EXPECT_EQ(last["bad"].error().code(),
            static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_THAT(last["shape"].error().message(), HasSubstr("input.shape"));
}

// The error repeats the name in part, of one of the two cut within a letter,
// which a message may not hold.
TEST_F(InteractiveTest, ARefusalOfALongNameLeavesTheOthersAlone) {
  for (const std::string id : {"", "x"}) {
    std::string model = id;
    for (int i = 0; i < 300; ++i) model += "\u00e9";
    ASSERT_THAT(session_->Open(Named("bad" + id, model)), IsOk());
  }
  ASSERT_THAT(session_->Open(Named("good", kQuick)), IsOk());
  ASSERT_THAT(session_->CloseWrites(), IsOk());
  std::map<std::string, v1::PredictUpdate> last;
  ASSERT_THAT(ReadAll(last), IsOk());
  EXPECT_EQ(Reason(last["good"]), v1::STOP_REASON_EXHAUSTED);
  for (const std::string id : {"bad", "badx"}) {
    EXPECT_EQ(last[id].error().code(),
              static_cast<int>(absl::StatusCode::kNotFound));
  }
}

TEST_F(InteractiveTest, ANameCanBeUsedAgainOnceItsRequestHasEnded) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_THAT(session_->Open(Named("again", kQuick)), IsOk());
    bool final = false;
    while (!final) {
      ASSERT_OK_AND_ASSIGN(const auto update, session_->Read());
      ASSERT_TRUE(update.has_value());
      final = Reason(*update) == v1::STOP_REASON_EXHAUSTED;
    }
  }
  ASSERT_THAT(session_->CloseWrites(), IsOk());
  std::map<std::string, v1::PredictUpdate> rest;
  EXPECT_THAT(ReadAll(rest), IsOk());
}

TEST_F(InteractiveTest, BreakingTheProtocolEndsTheStream) {
  ASSERT_THAT(session_->Open(Waiting("twice", 16)), IsOk());
  ASSERT_THAT(session_->Open(Waiting("twice", 16)), IsOk());
  std::map<std::string, v1::PredictUpdate> last;
  EXPECT_THAT(ReadAll(last), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("still open")));
  EXPECT_TRUE(server_->AwaitNoRows(absl::Seconds(30)));
}

TEST_F(InteractiveTest, ManyRequestsShareTheStream) {
  constexpr int kRequests = 200;
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_THAT(session_->Open(Named(absl::StrCat("r", i), kQuick)), IsOk());
  }
  ASSERT_THAT(session_->CloseWrites(), IsOk());
  std::map<std::string, v1::PredictUpdate> last;
  ASSERT_THAT(ReadAll(last), IsOk());
  EXPECT_EQ(last.size(), static_cast<size_t>(kRequests));
  for (const auto& [id, update] : last) {
    EXPECT_EQ(Reason(update), v1::STOP_REASON_EXHAUSTED) << id;
  }
}

// One request more than a stream may have open is refused; the others can still
// be steered.
TEST_F(InteractiveTest, AFullStreamRefusesOneMoreAndStillTakesStops) {
  constexpr int kLimit = 1024;
  for (int i = 0; i <= kLimit; ++i) {
    ASSERT_THAT(session_->Open(Waiting(absl::StrCat("r", i), 1)), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const v1::PredictUpdate refused,
                       ReadUntil([](const v1::PredictUpdate& update) {
                         return update.has_error();
                       }));
  EXPECT_EQ(refused.request_id(), absl::StrCat("r", kLimit));
  EXPECT_EQ(refused.error().code(),
            static_cast<int>(absl::StatusCode::kResourceExhausted));
  ASSERT_THAT(session_->Stop("r7"), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::PredictUpdate stopped,
                       ReadUntil([](const v1::PredictUpdate& update) {
                         return update.request_id() == "r7" &&
                                update.predictions_size() > 0 &&
                                update.predictions().rbegin()->final();
                       }));
  EXPECT_EQ(Reason(stopped), v1::STOP_REASON_CLIENT_STOP);
  session_->Cancel();
  EXPECT_TRUE(server_->AwaitNoRows(absl::Seconds(30)));
}

// Short requests end while their answers are being written, from both sides at
// once.
TEST_F(InteractiveTest, ManySessionsOfShortRequestsGetEachAnswerOnce) {
  constexpr int kSessions = 3;
  constexpr int kRequests = 600;
  std::vector<std::thread> threads;
  for (int t = 0; t < kSessions; ++t) {
    threads.emplace_back([this] {
      const auto session = client_->OpenSession();
      std::thread writer([&session] {
        for (int i = 0; i < kRequests; ++i) {
          v1::PredictRequest request = Named(absl::StrCat("r", i), kQuick);
          request.mutable_budget()->set_max_steps(1 + i % 5);
          EXPECT_THAT(session->Open(request), IsOk());
        }
        EXPECT_THAT(session->CloseWrites(), IsOk());
      });
      std::map<std::string, int> finals;
      while (true) {
        const auto update = session->Read();
        EXPECT_THAT(update, IsOk());
        if (!update.ok() || !update->has_value()) break;
        for (const v1::Prediction& p : (*update)->predictions()) {
          if (p.final()) ++finals[(*update)->request_id()];
        }
      }
      writer.join();
      EXPECT_EQ(finals.size(), static_cast<size_t>(kRequests));
      for (const auto& [id, count] : finals) EXPECT_EQ(count, 1) << id;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server_->Metrics().Sum("mre_requests_total",
                                   {"method=\"PredictInteractive\""}),
            kSessions * kRequests);
}

TEST_F(InteractiveTest, ASessionThatVanishesFreesItsRows) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(session_->Open(Waiting(absl::StrCat("r", i), 1)), IsOk());
  }
  ASSERT_THAT(session_->Read(), IsOk());
  session_->Cancel();
  EXPECT_TRUE(server_->AwaitNoRows(absl::Seconds(30)));
  EXPECT_LT(server_->Metrics().Sum("mre_expert_activations_total"),
            20 * kSlowSteps);
}

}  // namespace
}  // namespace mre
