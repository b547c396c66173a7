#include "server/service/inference_convert.h"

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/net/kinds.h"
#include "server/service/checks.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using inference::ModelInferRequest;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kMaxRows = 8;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const ServedModel& Served() {
  static const ServedModel* served = [] {
    ModelConfig config = RandomConfig(5);
    config.input = {{2, 3, 1}, 1.0 / 255, {0.5}, {0.5}};
    config.classes = {"ant", "bee", "cat"};
    auto* model = new ServedModel;
    model->name = "m";
    model->version = 7;
    model->model =
        *PackedModel::Create(RandomModel(config, 5), Precision::kF32);
    return model;
  }();
  return *served;
}

ModelInferRequest Valid() {
  ModelInferRequest request;
  request.set_model_name("m");
  request.set_id("mine");
  auto* input = request.add_inputs();
  input->set_name("input");
  input->set_datatype("UINT8");
  for (const int dim : {1, 2, 3, 1}) input->add_shape(dim);
  request.add_raw_input_contents(std::string("\x00\x01\x7f\x80\xfe\xff", 6));
  return request;
}

absl::StatusOr<InferSpec> Parse(const ModelInferRequest& request) {
  return ParseInferRequest(request, Served(), kMaxRows);
}

std::vector<float> Floats() { return {0, 1, 127, 128, 254, 255}; }

// The valid request in each form that carries its values.
std::vector<ModelInferRequest> AllForms() {
  std::vector<ModelInferRequest> forms(4, Valid());
  forms[1].clear_raw_input_contents();
  auto* typed = forms[1].mutable_inputs(0)->mutable_contents();
  for (const float value : Floats()) {
    typed->add_uint_contents(static_cast<uint32_t>(value));
  }
  const std::vector<float> floats = Floats();
  forms[2].mutable_inputs(0)->set_datatype("FP32");
  forms[2].set_raw_input_contents(
      0, std::string(reinterpret_cast<const char*>(floats.data()), 24));
  forms[3].mutable_inputs(0)->set_datatype("FP32");
  forms[3].clear_raw_input_contents();
  forms[3].mutable_inputs(0)->mutable_contents()->mutable_fp32_contents()->Add(
      floats.begin(), floats.end());
  return forms;
}

TEST(ParseInferRequestTest, EveryFormCarriesTheSameValues) {
  for (const ModelInferRequest& request : AllForms()) {
    ASSERT_OK_AND_ASSIGN(const InferSpec spec, Parse(request));
    EXPECT_EQ(spec.request.rows, 1u);
    EXPECT_EQ(spec.request.input, Floats());
    EXPECT_EQ(spec.request.delivery, Delivery::kAll);
    EXPECT_EQ(spec.request.every, 1u);
    EXPECT_EQ(spec.request.priority, kDefaultPriority);
    EXPECT_EQ(spec.answer.id, "mine");
    EXPECT_EQ(spec.answer.outputs, AllInferOutputs());
    EXPECT_FALSE(spec.answer.empty_final_response);
  }
}

TEST(ParseInferRequestTest, RefusesAMixOfForms) {
  const auto forms = AllForms();
  for (const int raw : {0, 2}) {
    for (const int typed : {1, 3}) {
      ModelInferRequest request = forms[raw];
      *request.mutable_inputs(0)->mutable_contents() =
          forms[typed].inputs(0).contents();
      EXPECT_THAT(Parse(request),
                  StatusIs(kInvalid, HasSubstr("inputs[0].contents: ")));
      // Values of the other type are none of this one's.
      request.clear_raw_input_contents();
      if (typed - raw == 1) continue;
      EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("got 0")));
    }
  }
  // There, but without values, is no form.
  ModelInferRequest request = Valid();
  request.mutable_inputs(0)->mutable_contents();
  EXPECT_THAT(Parse(request), IsOk());
}

TEST(ParseInferRequestTest, RefusesTypedValuesThatNoByteHas) {
  ModelInferRequest request = AllForms()[1];
  request.mutable_inputs(0)->mutable_contents()->set_uint_contents(4, 256);
  EXPECT_THAT(
      Parse(request),
      StatusIs(kInvalid, AllOf(HasSubstr("inputs[0].contents.uint_contents"),
                               HasSubstr("256"), HasSubstr("element 4"))));
  request = AllForms()[3];
  request.mutable_inputs(0)->mutable_contents()->set_fp32_contents(
      2, std::numeric_limits<float>::infinity());
  EXPECT_THAT(
      Parse(request),
      StatusIs(kInvalid, AllOf(HasSubstr("inputs[0].contents.fp32_contents"),
                               HasSubstr("element 2"))));
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, AllOf(HasSubstr("6 values"),
                                                       HasSubstr("got 7"))));
}

TEST(ParseInferRequestTest, RefusesShapesOtherThanRowsOfTheModels) {
  const std::vector<std::vector<int64_t>> shapes = {
      {},
      {6},
      {2, 3, 1},
      {1, 6},
      {1, 2, 3},
      {1, 3, 2, 1},
      {1, 1, 2, 3, 1},
      {0, 2, 3, 1},
      {-1, 2, 3, 1},
      {9, 2, 3, 1},
      {INT64_MAX, 2, 3, 1},
      {INT64_MIN, 2, 3, 1},
      std::vector<int64_t>(1000, 1)};
  for (const auto& shape : shapes) {
    ModelInferRequest request = Valid();
    auto* to = request.mutable_inputs(0)->mutable_shape();
    to->Clear();
    to->Add(shape.begin(), shape.end());
    EXPECT_THAT(Parse(request),
                StatusIs(kInvalid, HasSubstr("inputs[0].shape: expected")));
  }
  ModelInferRequest request = Valid();
  request.mutable_inputs(0)->set_shape(0, 3);
  request.set_raw_input_contents(0, std::string(18, 'x'));
  ASSERT_OK_AND_ASSIGN(const InferSpec spec, Parse(request));
  EXPECT_EQ(spec.request.rows, 3u);
  EXPECT_EQ(spec.answer.rows, 3u);
}

TEST(ParseInferRequestTest, WhatIsRepeatedOfARequestIsShortAndAscii) {
  ModelInferRequest request = Valid();
  std::string name(1000, 'x');
  name[10] = '\xc3';
  name[11] = '\xa9';
  for (const int field : {0, 1, 2, 3}) {
    request = Valid();
    if (field == 0) request.mutable_inputs(0)->set_name(name);
    if (field == 1) request.mutable_inputs(0)->set_datatype(name);
    if (field == 2) request.add_outputs()->set_name(name);
    if (field == 3) (*request.mutable_parameters())[name].set_bool_param(true);
    const absl::Status status = Parse(request).status();
    EXPECT_THAT(status, StatusIs(kInvalid, Not(HasSubstr("\xc3"))));
    EXPECT_LT(status.message().size(), 500u);
  }
  request = Valid();
  request.set_id(std::string(kMaxRequestId + 1, 'x'));
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("id: ")));
}

TEST(ParseInferRequestTest, OutputsComeInTheOrderAskedFor) {
  ModelInferRequest request = Valid();
  request.add_outputs()->set_name("step");
  request.add_outputs()->set_name("probabilities");
  ASSERT_OK_AND_ASSIGN(const InferSpec spec, Parse(request));
  EXPECT_THAT(spec.answer.outputs,
              ElementsAre(InferOutput::kStep, InferOutput::kProbabilities));
  request.add_outputs()->set_name("step");
  EXPECT_THAT(Parse(request), StatusIs(kInvalid, HasSubstr("outputs[2].name")));
}

TEST(ParseModelVersionTest, IsANumberOrALabelOrNothing) {
  EXPECT_EQ(ParseModelVersion("")->version, 0);
  EXPECT_EQ(ParseModelVersion("")->label, "");
  EXPECT_EQ(ParseModelVersion("7")->version, 7);
  EXPECT_EQ(ParseModelVersion("9223372036854775807")->version, INT64_MAX);
  EXPECT_EQ(ParseModelVersion("stable")->version, 0);
  EXPECT_EQ(ParseModelVersion("stable")->label, "stable");
  for (const char* bad : {"0", "-1", "01", " 1", "1 ", "1.0", "+1", "a b",
                          "9223372036854775808", "99999999999999999999"}) {
    EXPECT_THAT(ParseModelVersion(bad),
                StatusIs(kInvalid, HasSubstr("model_version")))
        << bad;
  }
}

Prediction At(uint32_t row, uint32_t step,
              StopReason reason = StopReason::kNone) {
  Prediction prediction;
  prediction.row = row;
  prediction.step = step;
  prediction.macs = 100 + step;
  prediction.ray_coverage = 0.5f;
  prediction.probabilities = {0.25f, 0.5f, 0.25f};
  prediction.stop_reason = reason;
  return prediction;
}

template <typename T>
std::vector<T> Read(const std::string& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::string Text(const inference::ModelInferResponse& response,
                 const std::string& parameter) {
  const auto found = response.parameters().find(parameter);
  return found == response.parameters().end() ? "absent"
                                              : found->second.string_param();
}

TEST(FillInferResponseTest, RawOutputsPairWithOutputs) {
  InferAnswer answer;
  answer.id = "mine";
  answer.outputs = AllInferOutputs();
  inference::ModelInferResponse response;
  const std::vector<Prediction> rows = {At(0, 3),
                                        At(1, 4, StopReason::kMaxSteps)};
  FillInferResponse(rows, answer, Served(), &response);
  EXPECT_EQ(response.id(), "mine");
  EXPECT_EQ(response.model_name(), "m");
  EXPECT_EQ(response.model_version(), "7");
  ASSERT_EQ(response.outputs_size(), kInferOutputs);
  ASSERT_EQ(response.raw_output_contents_size(), kInferOutputs);
  const auto raw = [&](InferOutput output) -> const std::string& {
    return response.raw_output_contents(static_cast<int>(output));
  };
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
  EXPECT_THAT(response.outputs(1).shape(), ElementsAre(2));
  EXPECT_THAT(Read<float>(raw(InferOutput::kProbabilities)),
              ElementsAre(0.25f, 0.5f, 0.25f, 0.25f, 0.5f, 0.25f));
  EXPECT_THAT(Read<int32_t>(raw(InferOutput::kClassIndex)), ElementsAre(1, 1));
  EXPECT_THAT(Read<float>(raw(InferOutput::kConfidence)),
              ElementsAre(0.5f, 0.5f));
  EXPECT_THAT(Read<int32_t>(raw(InferOutput::kStep)), ElementsAre(3, 4));
  EXPECT_THAT(Read<uint64_t>(raw(InferOutput::kMacs)), ElementsAre(103, 104));
  EXPECT_THAT(Read<float>(raw(InferOutput::kRayCoverage)),
              ElementsAre(0.5f, 0.5f));
  EXPECT_THAT(Read<uint8_t>(raw(InferOutput::kFinal)), ElementsAre(0, 1));
}

TEST(FillInferResponseTest, SaysWhyFinalRowsStopped) {
  const InferAnswer answer{.id = {}, .outputs = AllInferOutputs(), .rows = 3};
  const auto reasons = [&](const std::vector<Prediction>& rows) {
    inference::ModelInferResponse response;
    FillInferResponse(rows, answer, Served(), &response);
    return Text(response, "stop_reason");
  };
  EXPECT_EQ(reasons({At(0, 1), At(1, 1)}), "absent");
  EXPECT_EQ(reasons({At(0, 1), At(1, 1, StopReason::kStable)}), "stable");
  EXPECT_EQ(reasons({At(0, 1, StopReason::kConfidence), At(1, 1),
                     At(2, 1, StopReason::kMaxSteps)}),
            "confidence,,max_steps");
}

TEST(FillStepResponseTest, NamesItsRowsWhereThereAreSeveral) {
  InferAnswer answer{.id = {}, .outputs = AllInferOutputs(), .rows = 3};
  inference::ModelInferResponse response;
  FillStepResponse(std::vector<Prediction>{At(0, 1), At(2, 1)}, answer,
                   Served(), false, &response);
  EXPECT_EQ(Text(response, "rows"), "0,2");
  const auto& final = response.parameters().at("triton_final_response");
  EXPECT_TRUE(final.has_bool_param());
  EXPECT_FALSE(final.bool_param());

  answer.rows = 1;
  response.Clear();
  FillStepResponse(std::vector<Prediction>{At(0, 1)}, answer, Served(), true,
                   &response);
  EXPECT_EQ(Text(response, "rows"), "absent");
  EXPECT_TRUE(response.parameters().at("triton_final_response").bool_param());

  response.Clear();
  FillStepResponse({}, answer, Served(), true, &response);
  EXPECT_TRUE(response.outputs().empty());
  EXPECT_EQ(response.model_name(), "m");
}

TEST(SortByStepsTest, RowsThatStepTogetherAreNeighboursAndNoRowGoesBack) {
  std::vector<Prediction> taken = {At(1, 5), At(0, 3), At(1, 6),
                                   At(0, 4), At(2, 5), At(0, 5)};
  SortBySteps(taken);
  std::vector<std::pair<uint32_t, uint32_t>> order;
  for (const Prediction& p : taken) order.emplace_back(p.step, p.row);
  using P = std::pair<uint32_t, uint32_t>;
  EXPECT_THAT(
      order, ElementsAre(P(3, 0), P(4, 0), P(5, 0), P(5, 1), P(5, 2), P(6, 1)));
  const std::span<const Prediction> all = taken;
  EXPECT_EQ(CountSameStep(all), 1u);
  EXPECT_EQ(CountSameStep(all.subspan(2)), 3u);
  EXPECT_EQ(CountSameStep(all.subspan(5)), 1u);
}

TEST(FillInferErrorTest, RepeatsWhatTheRequestWasNamed) {
  ModelInferRequest request = Valid();
  request.set_model_version("9");
  inference::ModelStreamInferResponse response;
  FillInferError(request, absl::NotFoundError("none such"), &response);
  EXPECT_EQ(response.error_message(), "none such");
  EXPECT_EQ(response.infer_response().id(), "mine");
  EXPECT_EQ(response.infer_response().model_name(), "m");
  EXPECT_EQ(response.infer_response().model_version(), "9");
  EXPECT_TRUE(response.infer_response()
                  .parameters()
                  .at("triton_final_response")
                  .bool_param());
  // A message cut within a letter is no UTF-8, which a string has to be.
  request.set_id(std::string(kMaxRequestId + 1, 'x'));
  FillInferError(request, absl::NotFoundError("caf\xc3"), &response);
  EXPECT_EQ(response.error_message(), "caf\\xc3");
  EXPECT_EQ(response.infer_response().id(), "");
}

}  // namespace
}  // namespace mre
