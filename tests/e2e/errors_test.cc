// Each kind of bad call gets an error of its own, and the server goes on.
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class ErrorsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_,
                         ServerProcess::Start({"--max_rows_per_request=8"}));
    client_ = server_->Connect();
    ASSERT_NE(client_, nullptr);
  }
  // The same answer to Predict and to PredictStream, and a server that still
  // works.
  void Expect(const v1::PredictRequest& request, StatusCode code,
              const std::string& words) {
    EXPECT_THAT(client_->Predict(request), StatusIs(code, HasSubstr(words)));
    EXPECT_THAT(Collect(*client_, request), StatusIs(code, HasSubstr(words)));
    EXPECT_THAT(client_->Predict(MakeRequest(kQuick)), IsOk());
  }

  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(ErrorsTest, NamesWhatIsWrong) {
  v1::PredictRequest request = MakeRequest(kQuick);
  request.mutable_input()->set_shape(1, 27);
  Expect(request, StatusCode::kInvalidArgument, "input.shape");

  request = MakeRequest(kQuick);
  request.mutable_input()->mutable_data()->pop_back();
  Expect(request, StatusCode::kInvalidArgument, "input.data");

  request = MakeRequest(kQuick);
  std::vector<float> values(28 * 28, 1.0f);
  values[3] = std::nanf("");
  request.mutable_input()->set_datatype(v1::DATA_TYPE_FP32);
  request.mutable_input()->set_data(values.data(), values.size() * 4);
  Expect(request, StatusCode::kInvalidArgument, "finite");

  request = MakeRequest("nobody");
  Expect(request, StatusCode::kNotFound, "nobody");
  request = MakeRequest(kQuick);
  request.set_model_version(9);
  Expect(request, StatusCode::kNotFound, "version 9");

  request = MakeRequest(kQuick);
  request.mutable_budget()->set_min_confidence(-1);
  Expect(request, StatusCode::kInvalidArgument, "budget.min_confidence");
  request = MakeRequest(kQuick);
  request.mutable_budget()->mutable_max_time()->set_seconds(-1);
  Expect(request, StatusCode::kInvalidArgument, "budget.max_time");
  request = MakeRequest(kQuick);
  request.mutable_budget()->set_max_macs(1);
  Expect(request, StatusCode::kInvalidArgument, "budget.max_macs");

  request = MakeRequest(kQuick, 0);
  Expect(request, StatusCode::kInvalidArgument, "1 to 8 rows");
  request = MakeRequest(kQuick, 9);
  Expect(request, StatusCode::kInvalidArgument, "1 to 8 rows");
}

// A status travels in metadata of 8 KB: what it repeats is cut short.
TEST_F(ErrorsTest, LongNamesAndShapesGetTheErrorTheyDeserve) {
  v1::PredictRequest request = MakeRequest(kQuick);
  request.set_model_name(std::string(100'000, 'm'));
  Expect(request, StatusCode::kNotFound, "model_name");
  request = MakeRequest(kQuick);
  for (int i = 0; i < 10'000; ++i) request.mutable_input()->add_shape(123456);
  Expect(request, StatusCode::kInvalidArgument, "input.shape");
  request = MakeRequest(kQuick);
  request.set_request_id(std::string(257, 'r'));
  Expect(request, StatusCode::kInvalidArgument, "request_id");
}

TEST_F(ErrorsTest, AMessageOf64MegabytesIsRefused) {
  v1::PredictRequest request = MakeRequest(kQuick);
  request.mutable_input()->set_data(std::string(64 << 20, 'x'));
  Expect(request, StatusCode::kResourceExhausted, "larger than max");
}

TEST_F(ErrorsTest, ADeadlineFreesTheRow) {
  v1::PredictRequest request = MakeRequest(kSlow, 8);
  EXPECT_THAT(client_->Predict(request, {absl::Milliseconds(30)}),
              StatusIs(StatusCode::kDeadlineExceeded, testing::_));
  EXPECT_TRUE(server_->AwaitNoRows(absl::Seconds(30)));
  EXPECT_LT(server_->Metrics().Sum("mre_expert_activations_total",
                                   {"model=\"slow\""}),
            8 * kSlowSteps);
}

TEST_F(ErrorsTest, HealthKnowsItsServices) {
  EXPECT_THAT(client_->Health(), IsOkAndHolds(ServingStatus::kServing));
  EXPECT_THAT(client_->Health("mre.v1.AnytimeInference"),
              IsOkAndHolds(ServingStatus::kServing));
  EXPECT_THAT(client_->Health("no.such.Service"),
              StatusIs(StatusCode::kNotFound, testing::_));
}

TEST_F(ErrorsTest, ListsAndDescribesModels) {
  ASSERT_OK_AND_ASSIGN(const auto models, client_->ListModels());
  ASSERT_EQ(models.models_size(), 2);
  EXPECT_EQ(models.models(0).model_name(), kQuick);
  EXPECT_EQ(models.models(1).model_name(), kSlow);
  ASSERT_OK_AND_ASSIGN(const auto info, client_->GetModel(kQuick));
  EXPECT_EQ(info.model_version(), 1);
  EXPECT_EQ(info.layers(), 4u);
  EXPECT_EQ(info.experts_per_layer(), 8u);
  EXPECT_EQ(info.classes_size(), 10);
  EXPECT_THAT(client_->GetModel("nobody"),
              StatusIs(StatusCode::kNotFound, HasSubstr("nobody")));
}

// What is listed as failed is described, and not found as a model to ask.
TEST(ErrorsModelTest, AModelThatWasRefusedIsNotReady) {
  const TempDir root;
  const Model model = RandomModel(FashionConfig(), 1);
  for (const char* name : {"good", "broken"}) {
    ASSERT_THAT(WriteToRepository(root.path(), name, 1, model), IsOk());
  }
  std::filesystem::resize_file(root.File("broken/1/model.safetensors"), 100);
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  const auto client = server->Connect();
  ASSERT_OK_AND_ASSIGN(const auto info, client->GetModel("broken"));
  EXPECT_EQ(info.state(), v1::MODEL_STATE_FAILED);
  EXPECT_THAT(client->FindModel("broken"),
              StatusIs(StatusCode::kUnavailable, HasSubstr(info.error())));
  EXPECT_THAT(client->Predict(MakeRequest("broken")),
              StatusIs(StatusCode::kUnavailable, HasSubstr(info.error())));
  ASSERT_OK_AND_ASSIGN(const auto only, client->FindModel(""));
  EXPECT_EQ(only.model_name(), "good");
}

TEST_F(ErrorsTest, AModelMustBeNamedWhereThereAreSeveral) {
  EXPECT_THAT(client_->FindModel(""),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr(absl::StrCat(kQuick, ", ", kSlow))));
  EXPECT_THAT(client_->FindModel(kSlow), IsOk());
}

}  // namespace
}  // namespace mre
