#include "server/service/convert.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/net/kinds.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kMaxRows = 8;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const ServedModel& Served() {
  static const ServedModel* served = [] {
    ModelConfig config = RandomConfig(5);
    config.input = {{2, 3, 1}, 1.0 / 255, {0.5}, {0.5}};
    config.classes = {"ant", "bee", "cat", "dog"};
    auto* model = new ServedModel;
    model->name = "m";
    model->version = 7;
    model->model =
        *PackedModel::Create(RandomModel(config, 5), Precision::kF32);
    model->parameters = ParamsOf(config).total;
    return model;
  }();
  return *served;
}

v1::PredictRequest Valid() {
  v1::PredictRequest request;
  request.set_model_name("m");
  v1::Tensor* input = request.mutable_input();
  input->set_datatype(v1::DATA_TYPE_UINT8);
  for (const int dim : {2, 3, 1}) input->add_shape(dim);
  input->set_data(std::string("\x00\x01\x7f\x80\xfe\xff", 6));
  return request;
}

absl::StatusOr<Request::Spec> Parse(const v1::PredictRequest& request) {
  return ParseRequest(request, Served(), kMaxRows);
}

TEST(ParseRequestTest, ReadsBytesAsNumbers) {
  ASSERT_OK_AND_ASSIGN(const Request::Spec spec, Parse(Valid()));
  EXPECT_EQ(spec.rows, 1u);
  EXPECT_THAT(spec.input, ElementsAre(0, 1, 127, 128, 254, 255));
  EXPECT_EQ(spec.every, 1u);
  EXPECT_EQ(spec.delivery, Delivery::kLatest);
}

TEST(ParseRequestTest, PriorityIsOneToNineOrTheDefault) {
  v1::PredictRequest request = Valid();
  for (const uint32_t priority : {0u, 1u, 5u, 9u}) {
    request.set_priority(priority);
    ASSERT_OK_AND_ASSIGN(const Request::Spec spec, Parse(request));
    EXPECT_EQ(spec.priority, priority == 0 ? kDefaultPriority : priority);
  }
  for (const uint32_t priority : {10u, UINT32_MAX}) {
    request.set_priority(priority);
    EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("priority: ")));
  }
}

TEST(ParseRequestTest, BothDatatypesCarryTheSameValues) {
  v1::PredictRequest request = Valid();
  const std::vector<float> values = {0, 1, 127, 128, 254, 255};
  request.mutable_input()->set_datatype(v1::DATA_TYPE_FP32);
  request.mutable_input()->set_data(values.data(), values.size() * 4);
  ASSERT_OK_AND_ASSIGN(const Request::Spec floats, Parse(request));
  ASSERT_OK_AND_ASSIGN(const Request::Spec bytes, Parse(Valid()));
  EXPECT_EQ(floats.input, bytes.input);
}

TEST(ParseRequestTest, TakesALeadingRowDimension) {
  v1::PredictRequest request = Valid();
  v1::Tensor* input = request.mutable_input();
  input->clear_shape();
  for (const int dim : {3, 2, 3, 1}) input->add_shape(dim);
  input->set_data(std::string(18, 'x'));
  ASSERT_OK_AND_ASSIGN(const Request::Spec spec, Parse(request));
  EXPECT_EQ(spec.rows, 3u);
}

TEST(ParseRequestTest, NamesTheFieldOfABadInput) {
  v1::PredictRequest request = Valid();
  request.clear_input();
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("input: ")));

  request = Valid();
  request.mutable_input()->set_datatype(v1::DATA_TYPE_UNSPECIFIED);
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("input.datatype")));
  request.mutable_input()->set_datatype(static_cast<v1::DataType>(9));
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("got 9")));

  request = Valid();
  request.mutable_input()->mutable_data()->pop_back();
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, AllOf(HasSubstr("input.data"),
                                                       HasSubstr("6 bytes"),
                                                       HasSubstr("got 5"))));
}

TEST(ParseRequestTest, RefusesShapesOtherThanTheModels) {
  const std::vector<std::vector<int64_t>> shapes = {{},
                                                    {6},
                                                    {3, 2, 1},
                                                    {2, 3},
                                                    {1, 6},
                                                    {1, 1, 2, 3},
                                                    {1, 1, 2, 3, 1},
                                                    {-1, 2, 3, 1},
                                                    {0, 2, 3, 1},
                                                    {kMaxRows + 1, 2, 3, 1},
                                                    {INT64_MAX, 2, 3, 1},
                                                    {INT64_MIN, 2, 3, 1}};
  for (const auto& shape : shapes) {
    v1::PredictRequest request = Valid();
    request.mutable_input()->clear_shape();
    for (const int64_t dim : shape) request.mutable_input()->add_shape(dim);
    EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("input.shape")))
        << testing::PrintToString(shape);
  }
}

TEST(ParseRequestTest, RefusesNumbersThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    v1::PredictRequest request = Valid();
    std::vector<float> values(6, 1.0f);
    values[4] = bad;
    request.mutable_input()->set_datatype(v1::DATA_TYPE_FP32);
    request.mutable_input()->set_data(values.data(), values.size() * 4);
    EXPECT_THAT(Parse(request),
                StatusIs(kInvalid, AllOf(HasSubstr("input.data"),
                                         HasSubstr("element 4"))));
  }
}

TEST(ParseRequestTest, RefusesNumbersThatWouldOverflowInside) {
  v1::PredictRequest request = Valid();
  std::vector<float> values(6, 1.0f);
  values[2] = 3e38f;
  request.mutable_input()->set_datatype(v1::DATA_TYPE_FP32);
  request.mutable_input()->set_data(values.data(), values.size() * 4);
  EXPECT_THAT(Parse(request),
              StatusIs(kInvalid, AllOf(HasSubstr("standard deviations"),
                                       HasSubstr("element 2"))));
}

TEST(ParseRequestTest, RefusesAnUnknownDelivery) {
  v1::PredictRequest request = Valid();
  request.mutable_output()->set_delivery(static_cast<v1::Delivery>(7));
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("output.delivery")));
}

TEST(ParseBudgetTest, UnsetMeansNoLimit) {
  ASSERT_OK_AND_ASSIGN(const Budget budget, ParseBudget({}, *Served().model));
  EXPECT_EQ(budget.max_steps, 0u);
  EXPECT_EQ(budget.max_macs, 0u);
  EXPECT_EQ(budget.max_time, absl::ZeroDuration());
}

TEST(ParseBudgetTest, MaxMacsMustCoverStepZeroAndSaysWhatWouldWork) {
  const Cost& cost = Served().model->cost();
  v1::Budget message;
  message.set_max_macs(cost.After(0) - 1);
  EXPECT_THAT(
      ParseBudget(message, *Served().model),
      StatusIs(kInvalid, AllOf(HasSubstr("budget.max_macs"),
                               HasSubstr(std::to_string(cost.After(0))))));
  message.set_max_macs(cost.After(0));
  EXPECT_THAT(ParseBudget(message, *Served().model), IsOk());
}

TEST(ParseBudgetTest, RefusesSharesOutOfRange) {
  for (const float bad : {-0.1f, 1.1f, std::nanf("")}) {
    v1::Budget message;
    message.set_min_confidence(bad);
    EXPECT_THAT(ParseBudget(message, *Served().model),
                StatusIs(kInvalid, HasSubstr("budget.min_confidence")));
    message.clear_min_confidence();
    message.set_min_ray_coverage(bad);
    EXPECT_THAT(ParseBudget(message, *Served().model),
                StatusIs(kInvalid, HasSubstr("budget.min_ray_coverage")));
  }
}

TEST(ParseBudgetTest, ThresholdsAreForRaytracingsAndWithinTheirMass) {
  v1::Budget message;
  message.set_theta_out(0.5f);
  EXPECT_THAT(
      ParseBudget(message, *Served().model),
      StatusIs(kInvalid, HasSubstr("budget.theta_out: expected nothing, "
                                   "for a model of kind mre")));
  message.set_theta_out(0);
  message.set_theta_decay(0.5f);
  EXPECT_THAT(ParseBudget(message, *Served().model),
              StatusIs(kInvalid, HasSubstr("budget.theta_decay")));

  ModelConfig config = RandomConfigOf(Kind::kRaytracing, 5);
  config.raytracing.modules = 3;
  ASSERT_OK_AND_ASSIGN(
      const auto rays,
      PackedModel::Create(RandomModel(config, 5), Precision::kF32));
  message.set_theta_out(2.5f);
  ASSERT_OK_AND_ASSIGN(const Budget budget, ParseBudget(message, *rays));
  EXPECT_EQ(budget.thresholds.theta_out, 2.5f);
  EXPECT_EQ(budget.thresholds.theta_decay, 0.5f);
  for (const float bad : {-1.0f, 3.0f, NAN}) {
    message.set_theta_out(bad);
    EXPECT_THAT(ParseBudget(message, *rays),
                StatusIs(kInvalid, HasSubstr("budget.theta_out: expected a "
                                             "number above 0 and below 3")));
  }
  message.set_theta_out(0);
  for (const float bad : {-1.0f, 1.0f, NAN}) {
    message.set_theta_decay(bad);
    EXPECT_THAT(ParseBudget(message, *rays),
                StatusIs(kInvalid, HasSubstr("budget.theta_decay")));
  }
}

TEST(ParseBudgetTest, RefusesDurationsThatAreNegativeOrMalformed) {
  const std::vector<std::pair<int64_t, int32_t>> bad = {
      {-1, 0}, {0, -1}, {0, 1000000000}, {INT64_MAX, 0}, {INT64_MIN, 0}};
  for (const auto& [seconds, nanos] : bad) {
    v1::Budget message;
    message.mutable_max_time()->set_seconds(seconds);
    message.mutable_max_time()->set_nanos(nanos);
    EXPECT_THAT(ParseBudget(message, *Served().model),
                StatusIs(kInvalid, HasSubstr("budget.max_time")))
        << seconds << " s " << nanos << " ns";
  }
  v1::Budget message;
  message.mutable_max_time()->set_nanos(5000000);
  ASSERT_OK_AND_ASSIGN(const Budget budget,
                       ParseBudget(message, *Served().model));
  EXPECT_EQ(budget.max_time, absl::Milliseconds(5));
}

TEST(FillUpdateTest, SaysEverythingAboutAPrediction) {
  Prediction prediction;
  prediction.row = 2;
  prediction.step = 3;
  prediction.expert = Served().model->config().experts;  // layer 1, index 0
  prediction.experts = {0, static_cast<int32_t>(prediction.expert)};
  prediction.macs = 99;
  prediction.elapsed = absl::Microseconds(1500001);
  prediction.ray_coverage = 0.25f;
  prediction.probabilities = {0.1f, 0.4f, 0.1f, 0.4f};
  prediction.stop_reason = StopReason::kConfidence;
  v1::PredictUpdate update;
  FillUpdate({prediction}, "id", Served(), {.top_k = 3, .probabilities = true},
             &update);
  EXPECT_EQ(update.request_id(), "id");
  EXPECT_EQ(update.model_name(), "m");
  EXPECT_EQ(update.model_version(), 7);
  ASSERT_EQ(update.predictions_size(), 1);
  const v1::Prediction& got = update.predictions(0);
  EXPECT_EQ(got.row(), 2u);
  EXPECT_EQ(got.step(), 3u);
  EXPECT_EQ(got.expert().layer(), 1u);
  EXPECT_EQ(got.expert().index(), 0u);
  ASSERT_EQ(got.experts_size(), 2);
  EXPECT_EQ(got.experts(0).layer(), 0u);
  EXPECT_EQ(got.experts(1).layer(), 1u);
  EXPECT_EQ(got.macs(), 99u);
  EXPECT_EQ(got.elapsed().seconds(), 1);
  EXPECT_EQ(got.elapsed().nanos(), 500001000);
  ASSERT_EQ(got.top_size(), 3);  // ties go to the lower class
  EXPECT_EQ(got.top(0).label(), "bee");
  EXPECT_EQ(got.top(1).label(), "dog");
  EXPECT_EQ(got.top(2).class_index(), 0u);
  EXPECT_EQ(got.probabilities_size(), 4);
  EXPECT_EQ(got.confidence(), 0.4f);
  EXPECT_EQ(got.ray_coverage(), 0.25f);
  EXPECT_TRUE(got.final());
  EXPECT_EQ(got.stop_reason(), v1::STOP_REASON_CONFIDENCE);
}

TEST(FillUpdateTest, StepZeroHasNoExpertAndTopKIsBoundedByTheClasses) {
  Prediction prediction;
  prediction.probabilities = {0.7f, 0.1f, 0.1f, 0.1f};
  v1::PredictUpdate update;
  FillUpdate({prediction}, "", Served(), {.top_k = 4000000000u}, &update);
  EXPECT_FALSE(update.predictions(0).has_expert());
  EXPECT_EQ(update.predictions(0).top_size(), 4);
  EXPECT_EQ(update.predictions(0).probabilities_size(), 0);
}

TEST(FillModelInfoTest, GivesTheCostOfEachPart) {
  v1::ModelInfo info;
  FillModelInfo({.name = "m",
                 .version = 3,
                 .state = VersionState::kReady,
                 .reason = "",
                 .served = std::make_shared<ServedModel>(Served())},
                &info);
  const ModelConfig& config = Served().model->config();
  EXPECT_EQ(info.state(), v1::MODEL_STATE_READY);
  EXPECT_THAT(info.input_shape(), ElementsAre(2, 3, 1));
  EXPECT_THAT(info.classes(), ElementsAre("ant", "bee", "cat", "dog"));
  EXPECT_EQ(info.macs().experts_size(), config.total_experts());
  EXPECT_EQ(info.macs().stem() + info.macs().head(),
            Served().model->cost().After(0));
}

}  // namespace
}  // namespace mre
