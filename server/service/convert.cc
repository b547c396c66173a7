#include "server/service/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": expected ", expected));
}

absl::StatusOr<float> Share(float value, absl::string_view field) {
  if (!(value >= 0 && value <= 1)) {
    return Invalid(
        field, absl::StrCat("a number in [0, 1] (0: no limit), got ", value));
  }
  return value;
}

absl::StatusOr<absl::Duration> Time(const google::protobuf::Duration& value) {
  constexpr int64_t kMostSeconds = 315576000000;  // as the message documents
  if (value.seconds() < 0 || value.nanos() < 0 || value.nanos() > 999999999 ||
      value.seconds() > kMostSeconds) {
    return Invalid("budget.max_time",
                   absl::StrCat("a duration of at least 0 (0: no limit), got ",
                                value.seconds(), " s ", value.nanos(), " ns"));
  }
  return absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos());
}

void SetDuration(absl::Duration value, google::protobuf::Duration* message) {
  const int64_t nanos = absl::ToInt64Nanoseconds(value);
  message->set_seconds(nanos / 1'000'000'000);
  message->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

constexpr size_t kMostDimensionsNamed = 8;

// The number of rows in a tensor of the given shape.
absl::StatusOr<uint32_t> Rows(const v1::Tensor& tensor,
                              const InputConfig& input, int64_t max_rows) {
  const std::vector<int64_t> shape(tensor.shape().begin(),
                                   tensor.shape().end());
  // What a client sends is repeated to it in part only: a status must fit
  // into the metadata that carries it.
  if (shape.size() > kMostDimensionsNamed) {
    return Invalid(
        "input.shape",
        absl::StrCat(input.shape.size(), " or ", input.shape.size() + 1,
                     " dimensions, got ", shape.size()));
  }
  if (shape == input.shape) return 1;
  const bool batched =
      shape.size() == input.shape.size() + 1 &&
      std::equal(input.shape.begin(), input.shape.end(), shape.begin() + 1);
  if (!batched) {
    const std::string wanted = absl::StrJoin(input.shape, ",");
    return Invalid("input.shape",
                   absl::StrCat("[", wanted, "] or [rows,", wanted, "], got [",
                                absl::StrJoin(shape, ","), "]"));
  }
  if (shape[0] < 1 || shape[0] > max_rows) {
    return Invalid("input.shape",
                   absl::StrCat("1 to ", max_rows, " rows, got ", shape[0]));
  }
  return static_cast<uint32_t>(shape[0]);
}

// Inputs further from the training data than this, in its standard deviations,
// mean nothing, and far enough out they would overflow inside the model.
constexpr double kMostDeviations = 1e6;

bool IsSane(float value, int64_t channel, const InputConfig& input) {
  const double scaled =
      (value * input.scale - input.mean[channel]) / input.std[channel];
  return std::abs(scaled) <= kMostDeviations;  // false for NaN
}

absl::StatusOr<std::vector<float>> Values(const v1::Tensor& tensor,
                                          const InputConfig& input,
                                          int64_t count) {
  int64_t element = 0;
  if (tensor.datatype() == v1::DATA_TYPE_UINT8) element = 1;
  if (tensor.datatype() == v1::DATA_TYPE_FP32) element = 4;
  if (element == 0) {
    return Invalid("input.datatype",
                   absl::StrCat("DATA_TYPE_UINT8 or DATA_TYPE_FP32, got ",
                                static_cast<int>(tensor.datatype())));
  }
  const std::string& data = tensor.data();
  if (static_cast<int64_t>(data.size()) != count * element) {
    return Invalid(
        "input.data",
        absl::StrCat(count * element,
                     " bytes for this datatype and shape, got ", data.size()));
  }
  std::vector<float> values(count);
  if (element == 1) {
    std::transform(data.begin(), data.end(), values.begin(),
                   [](char c) { return static_cast<unsigned char>(c); });
    return values;
  }
  std::memcpy(values.data(), data.data(), data.size());
  for (int64_t i = 0; i < count; ++i) {
    if (IsSane(values[i], i % input.channels(), input)) continue;
    return Invalid("input.data",
                   absl::StrCat("finite numbers within a million standard "
                                "deviations of the training data, got ",
                                values[i], " as element ", i));
  }
  return values;
}

absl::StatusOr<Delivery> ParseDelivery(v1::Delivery delivery) {
  switch (delivery) {
    case v1::DELIVERY_UNSPECIFIED:
    case v1::DELIVERY_LATEST:
      return Delivery::kLatest;
    case v1::DELIVERY_ALL:
      return Delivery::kAll;
    default:
      return Invalid("output.delivery",
                     absl::StrCat("DELIVERY_LATEST or DELIVERY_ALL, got ",
                                  static_cast<int>(delivery)));
  }
}

// A threshold of the kind raytracing, in (0, `below`); 0: the model's.
absl::StatusOr<float> Threshold(float value, absl::string_view field,
                                double below, const ModelConfig& config) {
  if (value == 0) return value;
  if (config.kind != Kind::kRaytracing) {
    return Invalid(field, absl::StrCat("nothing, for a model of kind ",
                                       KindName(config.kind),
                                       " has no thresholds, got ", value));
  }
  if (!(value > 0 && value < below)) {
    return Invalid(field, absl::StrCat("a number above 0 and below ", below,
                                       " (0: the model's), got ", value));
  }
  return value;
}

void SetExpert(int64_t expert, const ModelConfig& config, v1::Expert* to) {
  to->set_layer(static_cast<uint32_t>(expert / config.experts));
  to->set_index(static_cast<uint32_t>(expert % config.experts));
}

v1::ModelState StateOf(VersionState state) {
  switch (state) {
    case VersionState::kReady:
      return v1::MODEL_STATE_READY;
    case VersionState::kFailed:
      return v1::MODEL_STATE_FAILED;
    case VersionState::kLoading:
      return v1::MODEL_STATE_LOADING;
    case VersionState::kUnloading:
      return v1::MODEL_STATE_UNLOADING;
    case VersionState::kUnloaded:
      return v1::MODEL_STATE_UNLOADED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

void FillPrediction(const Prediction& from, const ModelConfig& config,
                    const OutputOptions& options, v1::Prediction* to) {
  to->set_row(from.row);
  to->set_step(from.step);
  if (from.expert >= 0) SetExpert(from.expert, config, to->mutable_expert());
  for (const int32_t expert : from.experts) {
    SetExpert(expert, config, to->add_experts());
  }
  to->set_macs(from.macs);
  SetDuration(from.elapsed, to->mutable_elapsed());
  const std::vector<float>& p = from.probabilities;
  std::vector<uint32_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t top = std::min<size_t>(options.top_k, p.size());
  std::partial_sort(order.begin(), order.begin() + top, order.end(),
                    [&](uint32_t a, uint32_t b) {
                      return p[a] != p[b] ? p[a] > p[b] : a < b;
                    });
  for (size_t i = 0; i < top; ++i) {
    v1::ClassProbability* entry = to->add_top();
    entry->set_class_index(order[i]);
    entry->set_label(config.classes[order[i]]);
    entry->set_probability(p[order[i]]);
  }
  if (options.probabilities) {
    to->mutable_probabilities()->Add(p.begin(), p.end());
  }
  to->set_confidence(*std::max_element(p.begin(), p.end()));
  to->set_ray_coverage(from.ray_coverage);
  to->set_final(from.final());
  to->set_stop_reason(static_cast<v1::StopReason>(from.stop_reason));
}

}  // namespace

absl::Status CheckRequestId(absl::string_view id) {
  if (id.size() <= kMaxRequestId) return absl::OkStatus();
  return Invalid("request_id", absl::StrCat("at most ", kMaxRequestId,
                                            " bytes, got ", id.size()));
}

absl::StatusOr<Budget> ParseBudget(const v1::Budget& message,
                                   const PackedModel& model) {
  const Cost& cost = model.cost();
  const ModelConfig& config = model.config();
  Budget budget;
  budget.max_steps = message.max_steps();
  budget.max_macs = message.max_macs();
  if (budget.max_macs > 0 && budget.max_macs < cost.After(0)) {
    return Invalid(
        "budget.max_macs",
        absl::StrCat("at least ", cost.After(0),
                     " (stem and head; 0: no limit), got ", budget.max_macs));
  }
  ASSIGN_OR_RETURN(budget.max_time, Time(message.max_time()));
  ASSIGN_OR_RETURN(budget.min_confidence,
                   Share(message.min_confidence(), "budget.min_confidence"));
  ASSIGN_OR_RETURN(budget.min_ray_coverage, Share(message.min_ray_coverage(),
                                                  "budget.min_ray_coverage"));
  budget.stable_steps = message.stable_steps();
  ASSIGN_OR_RETURN(budget.thresholds.theta_out,
                   Threshold(message.theta_out(), "budget.theta_out",
                             config.raytracing.mass(), config));
  ASSIGN_OR_RETURN(
      budget.thresholds.theta_decay,
      Threshold(message.theta_decay(), "budget.theta_decay", 1, config));
  return budget;
}

absl::StatusOr<Request::Spec> ParseRequest(const v1::PredictRequest& message,
                                           const ServedModel& model,
                                           int64_t max_rows) {
  const InputConfig& input = model.model->config().input;
  RETURN_IF_ERROR(CheckRequestId(message.request_id()));
  if (!message.has_input()) return Invalid("input", "a tensor");
  Request::Spec spec;
  spec.model = model.model;
  ASSIGN_OR_RETURN(spec.rows, Rows(message.input(), input, max_rows));
  ASSIGN_OR_RETURN(spec.input,
                   Values(message.input(), input, spec.rows * input.size()));
  ASSIGN_OR_RETURN(spec.budget, ParseBudget(message.budget(), *model.model));
  spec.sampled = message.routing().sampled();
  spec.seed = message.routing().seed();
  spec.every = std::max<uint32_t>(message.output().every(), 1);
  ASSIGN_OR_RETURN(spec.delivery, ParseDelivery(message.output().delivery()));
  return spec;
}

OutputOptions ParseOutput(const v1::Output& message) {
  OutputOptions options;
  if (message.top_k() > 0) options.top_k = message.top_k();
  options.probabilities = message.probabilities();
  return options;
}

void FillUpdate(const std::vector<Prediction>& predictions,
                absl::string_view request_id, const ServedModel& model,
                const OutputOptions& options, v1::PredictUpdate* update) {
  update->set_request_id(request_id.data(), request_id.size());
  update->set_model_name(model.name);
  update->set_model_version(model.version);
  for (const Prediction& prediction : predictions) {
    FillPrediction(prediction, model.model->config(), options,
                   update->add_predictions());
  }
}

void FillModelInfo(const VersionStatus& status, v1::ModelInfo* info) {
  info->set_model_name(status.name);
  info->set_model_version(status.version);
  info->set_state(StateOf(status.state));
  info->set_error(status.reason);
  if (status.served == nullptr) return;
  const ServedModel& model = *status.served;
  const ModelConfig& config = model.model->config();
  const Cost& cost = model.model->cost();
  info->set_kind(std::string(KindName(config.kind)));
  info->mutable_input_shape()->Add(config.input.shape.begin(),
                                   config.input.shape.end());
  info->mutable_classes()->Add(config.classes.begin(), config.classes.end());
  info->set_layers(static_cast<uint32_t>(config.layers));
  info->set_experts_per_layer(static_cast<uint32_t>(config.experts));
  info->mutable_macs()->set_stem(cost.stem);
  info->mutable_macs()->set_head(cost.head);
  info->mutable_macs()->set_gate(cost.gate);
  info->mutable_macs()->set_experts_per_step(
      static_cast<uint32_t>(cost.experts_a_step));
  for (int64_t e = 0; e < config.total_experts(); ++e) {
    info->mutable_macs()->add_experts(cost.Expert(e));
  }
  info->set_max_steps(model.model->max_steps());
  info->set_parameters(model.parameters);
  const absl::string_view precision = PrecisionName(model.model->precision());
  info->set_precision(precision.data(), precision.size());
}

}  // namespace mre
