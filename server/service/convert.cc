#include "server/service/convert.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/service/checks.h"

namespace mre {
namespace {

std::string BudgetFieldName(absl::string_view name) {
  return absl::StrCat("budget.", name);
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
  return ReadValues(tensor.data(), element, count, input, "input.data");
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
  return CheckId(id, "request_id");
}

absl::StatusOr<Budget> ParseBudget(const v1::Budget& message,
                                   const PackedModel& model) {
  Budget budget;
  budget.max_steps = message.max_steps();
  budget.max_macs = message.max_macs();
  ASSIGN_OR_RETURN(budget.max_time, Time(message.max_time()));
  budget.min_confidence = message.min_confidence();
  budget.min_ray_coverage = message.min_ray_coverage();
  budget.stable_steps = message.stable_steps();
  budget.thresholds = {message.theta_out(), message.theta_decay()};
  RETURN_IF_ERROR(CheckLimits(budget, model, BudgetFieldName));
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
  const auto& shape = message.input().shape();
  ASSIGN_OR_RETURN(
      spec.rows,
      CountRows({shape.data(), static_cast<size_t>(shape.size())}, input,
                max_rows, /*may_stand_alone=*/true, "input.shape"));
  ASSIGN_OR_RETURN(spec.input,
                   Values(message.input(), input, spec.rows * input.size()));
  ASSIGN_OR_RETURN(spec.budget, ParseBudget(message.budget(), *model.model));
  ASSIGN_OR_RETURN(spec.priority,
                   CheckPriority(message.priority(), "priority"));
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
  info->set_error(FieldText(status.reason));
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
