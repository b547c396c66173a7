#include "server/service/inference_convert.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "server/service/checks.h"
#include "server/service/infer_parameters.h"

namespace mre {
namespace {

using InputTensor = inference::ModelInferRequest::InferInputTensor;
using Parameters =
    google::protobuf::Map<std::string, inference::InferParameter>;

// A tensor's parameters only describe it, but for those that say that its
// values are elsewhere or that an output is wanted in another form.
absl::Status CheckTensorParameters(const Parameters& parameters,
                                   absl::string_view field) {
  for (const auto& [name, value] : parameters) {
    if (absl::StartsWith(name, "shared_memory_")) {
      return Invalid(field, absl::StrCat("values in the message, for there is "
                                         "no shared memory, got parameter ",
                                         QuoteSent(name)));
    }
    if (name == "classification") {
      return Invalid(field,
                     "no classification; ask for the outputs class_index and "
                     "confidence, or probabilities");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTyped(int64_t got, int64_t count, absl::string_view field) {
  if (got == count) return absl::OkStatus();
  return Invalid(field,
                 absl::StrCat(count, " values for this shape, got ", got));
}

bool HoldsValues(const inference::InferTensorContents& contents) {
  return contents.ByteSizeLong() > 0;
}

absl::StatusOr<std::vector<float>> TypedBytes(
    const inference::InferTensorContents& contents, int64_t count) {
  constexpr char kField[] = "inputs[0].contents.uint_contents";
  const auto& sent = contents.uint_contents();
  RETURN_IF_ERROR(CheckTyped(sent.size(), count, kField));
  std::vector<float> values;
  values.reserve(count);
  for (const uint32_t value : sent) {
    if (value > 255) {
      return Invalid(kField, absl::StrCat("0 to 255, got ", value,
                                          " as element ", values.size()));
    }
    values.push_back(static_cast<float>(value));
  }
  return values;
}

absl::StatusOr<std::vector<float>> TypedFloats(
    const inference::InferTensorContents& contents, int64_t count,
    const InputConfig& input) {
  constexpr char kField[] = "inputs[0].contents.fp32_contents";
  const auto& sent = contents.fp32_contents();
  RETURN_IF_ERROR(CheckTyped(sent.size(), count, kField));
  std::vector<float> values(sent.begin(), sent.end());
  RETURN_IF_ERROR(CheckValues(values, input, kField));
  return values;
}

absl::StatusOr<std::vector<float>> Values(
    const inference::ModelInferRequest& message, const InputConfig& input,
    int64_t count) {
  const InputTensor& tensor = message.inputs(0);
  const bool bytes = tensor.datatype() == "UINT8";
  if (!bytes && tensor.datatype() != "FP32") {
    return Invalid(
        "inputs[0].datatype",
        absl::StrCat("UINT8 or FP32, got ", QuoteSent(tensor.datatype())));
  }
  const bool typed = HoldsValues(tensor.contents());
  const int raws = message.raw_input_contents_size();
  if (raws == 0) {
    if (bytes) return TypedBytes(tensor.contents(), count);
    return TypedFloats(tensor.contents(), count, input);
  }
  if (typed) {
    return Invalid("inputs[0].contents",
                   "nothing beside raw_input_contents: one or the other");
  }
  if (raws != 1) {
    return Invalid("raw_input_contents",
                   absl::StrCat("an entry an input, which is 1, got ", raws));
  }
  return ReadValues(message.raw_input_contents(0), bytes ? 1 : 4, count, input,
                    "raw_input_contents[0]");
}

absl::Status ParseInput(const inference::ModelInferRequest& message,
                        const InputConfig& input, int64_t max_rows,
                        Request::Spec& spec) {
  if (message.inputs_size() != 1) {
    return Invalid("inputs", absl::StrCat("1 tensor, \"", kInferInput,
                                          "\", got ", message.inputs_size()));
  }
  const InputTensor& tensor = message.inputs(0);
  if (tensor.name() != kInferInput) {
    return Invalid("inputs[0].name", absl::StrCat("\"", kInferInput, "\", got ",
                                                  QuoteSent(tensor.name())));
  }
  RETURN_IF_ERROR(
      CheckTensorParameters(tensor.parameters(), "inputs[0].parameters"));
  const auto& shape = tensor.shape();
  ASSIGN_OR_RETURN(
      spec.rows,
      CountRows({shape.data(), static_cast<size_t>(shape.size())}, input,
                max_rows, /*may_stand_alone=*/false, "inputs[0].shape"));
  ASSIGN_OR_RETURN(spec.input,
                   Values(message, input, spec.rows * input.size()));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<InferOutput>> ParseOutputs(
    const inference::ModelInferRequest& message) {
  const std::vector<InferOutput>& all = AllInferOutputs();
  if (message.outputs().empty()) return all;
  std::vector<InferOutput> outputs;
  for (int i = 0; i < message.outputs_size(); ++i) {
    const auto& wanted = message.outputs(i);
    const auto found =
        std::find_if(all.begin(), all.end(), [&](InferOutput output) {
          return InfoOf(output).name == absl::string_view(wanted.name());
        });
    const std::string field = absl::StrCat("outputs[", i, "]");
    if (found == all.end()) {
      return Invalid(
          absl::StrCat(field, ".name"),
          absl::StrCat("one of ",
                       absl::StrJoin(all, ", ",
                                     [](std::string* out, InferOutput output) {
                                       absl::StrAppend(out,
                                                       InfoOf(output).name);
                                     }),
                       ", got ", QuoteSent(wanted.name())));
    }
    if (std::find(outputs.begin(), outputs.end(), *found) != outputs.end()) {
      return Invalid(absl::StrCat(field, ".name"),
                     absl::StrCat("each output once, got ",
                                  QuoteSent(wanted.name()), " again"));
    }
    RETURN_IF_ERROR(CheckTensorParameters(wanted.parameters(),
                                          absl::StrCat(field, ".parameters")));
    outputs.push_back(*found);
  }
  return outputs;
}

void SetString(absl::string_view name, std::string value,
               inference::ModelInferResponse* response) {
  (*response->mutable_parameters())[std::string(name)].set_string_param(
      std::move(value));
}

void SetFinalResponse(bool final, inference::ModelInferResponse* response) {
  (*response->mutable_parameters())["triton_final_response"].set_bool_param(
      final);
}

// Why the rows that are final stopped; see the proto.
std::string StopReasons(std::span<const Prediction> rows) {
  std::set<StopReason> reasons;
  for (const Prediction& row : rows) {
    if (row.final()) reasons.insert(row.stop_reason);
  }
  if (reasons.empty()) return "";
  if (reasons.size() == 1) return std::string(StopReasonName(*reasons.begin()));
  return absl::StrJoin(rows, ",", [](std::string* out, const Prediction& row) {
    if (row.final()) absl::StrAppend(out, StopReasonName(row.stop_reason));
  });
}

}  // namespace

absl::StatusOr<VersionChoice> ParseModelVersion(absl::string_view version) {
  if (version.empty()) return VersionChoice();
  const int64_t number = ParseVersion(version);
  if (number > 0) return VersionChoice{.version = number, .label = ""};
  if (IsVersionLabel(version)) {
    return VersionChoice{.version = 0, .label = version};
  }
  return Invalid(
      "model_version",
      absl::StrCat("a positive number without leading zeros, a label, or "
                   "nothing (the newest), got ",
                   QuoteSent(version)));
}

absl::StatusOr<InferSpec> ParseInferRequest(
    const inference::ModelInferRequest& message, const ServedModel& model,
    int64_t max_rows) {
  RETURN_IF_ERROR(CheckId(message.id(), "id"));
  InferSpec spec;
  ASSIGN_OR_RETURN(const InferParameters parameters,
                   ParseInferParameters(message.parameters(), *model.model));
  ASSIGN_OR_RETURN(spec.answer.outputs, ParseOutputs(message));
  spec.answer.id = message.id();
  spec.answer.empty_final_response = parameters.empty_final_response;
  Request::Spec& request = spec.request;
  request.model = model.model;
  request.budget = parameters.budget;
  request.sampled = parameters.sampled;
  request.seed = parameters.seed;
  request.priority = parameters.priority;
  request.delivery = Delivery::kAll;
  RETURN_IF_ERROR(
      ParseInput(message, model.model->config().input, max_rows, request));
  spec.answer.rows = request.rows;
  return spec;
}

void SortBySteps(std::vector<Prediction>& predictions) {
  std::sort(predictions.begin(), predictions.end(),
            [](const Prediction& a, const Prediction& b) {
              return std::pair(a.step, a.row) < std::pair(b.step, b.row);
            });
}

size_t CountSameStep(std::span<const Prediction> predictions) {
  const uint32_t step = predictions.front().step;
  const auto end =
      std::find_if(predictions.begin(), predictions.end(),
                   [step](const Prediction& row) { return row.step != step; });
  return static_cast<size_t>(end - predictions.begin());
}

void FillInferResponse(std::span<const Prediction> rows,
                       const InferAnswer& answer, const ServedModel& model,
                       inference::ModelInferResponse* response) {
  response->set_model_name(model.name);
  response->set_model_version(absl::StrCat(model.version));
  response->set_id(answer.id);
  if (rows.empty()) return;
  const auto count = static_cast<int64_t>(rows.size());
  for (const InferOutput output : answer.outputs) {
    const InferOutputInfo& info = InfoOf(output);
    auto* tensor = response->add_outputs();
    tensor->set_name(info.name.data(), info.name.size());
    tensor->set_datatype(info.datatype.data(), info.datatype.size());
    tensor->add_shape(count);
    if (info.a_class) {
      tensor->add_shape(static_cast<int64_t>(rows[0].probabilities.size()));
    }
    AppendOutput(output, rows, response->add_raw_output_contents());
  }
  if (std::string reasons = StopReasons(rows); !reasons.empty()) {
    SetString("stop_reason", std::move(reasons), response);
  }
}

void FillStepResponse(std::span<const Prediction> rows,
                      const InferAnswer& answer, const ServedModel& model,
                      bool final, inference::ModelInferResponse* response) {
  FillInferResponse(rows, answer, model, response);
  if (answer.rows > 1 && !rows.empty()) {
    SetString("rows",
              absl::StrJoin(rows, ",",
                            [](std::string* out, const Prediction& row) {
                              absl::StrAppend(out, row.row);
                            }),
              response);
  }
  SetFinalResponse(final, response);
}

void FillInferError(const inference::ModelInferRequest& message,
                    const absl::Status& status,
                    inference::ModelStreamInferResponse* response) {
  // Refused requests may wait to be told so in numbers.
  const auto short_one = [](const std::string& name) {
    return name.size() <= kMaxRequestId ? name : std::string();
  };
  response->set_error_message(FieldText(status.message()));
  auto* echo = response->mutable_infer_response();
  echo->set_id(short_one(message.id()));
  echo->set_model_name(short_one(message.model_name()));
  echo->set_model_version(short_one(message.model_version()));
  SetFinalResponse(true, echo);
}

}  // namespace mre
