#include "server/service/inference_info.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/version.h"
#include "server/service/checks.h"
#include "server/service/inference_convert.h"
#include "server/service/inference_outputs.h"

namespace mre {
namespace {

// The platform and the backend of every model.
constexpr char kPlatform[] = "mre";

// Facts about the model, by name; the same in its metadata and its config.
std::vector<std::pair<std::string, std::string>> Facts(
    const PackedModel& model) {
  return {
      {"kind", std::string(KindName(model.config().kind))},
      {"max_steps", absl::StrCat(model.max_steps())},
      {"macs_step_0", absl::StrCat(model.cost().After(0))},
      {"macs_full", absl::StrCat(model.cost().After(model.max_steps()))},
  };
}

void Set(const ModelStatistics::Total& total,
         inference::StatisticDuration* duration) {
  duration->set_count(total.count);
  duration->set_ns(total.ns);
}

}  // namespace

void FillServerMetadata(inference::ServerMetadataResponse* response) {
  response->set_name("mre-server");
  response->set_version(kVersion);
  for (const char* extension :
       {"model_repository", "schedule_policy", "model_configuration",
        "statistics", "parameters"}) {
    response->add_extensions(extension);
  }
}

void FillModelMetadata(const ServedModel& model,
                       std::span<const int64_t> versions,
                       inference::ModelMetadataResponse* response) {
  const ModelConfig& config = model.model->config();
  response->set_name(model.name);
  for (const int64_t version : versions) {
    response->add_versions(absl::StrCat(version));
  }
  response->set_platform(kPlatform);
  auto* input = response->add_inputs();
  input->set_name(kInferInput.data(), kInferInput.size());
  input->set_datatype("UINT8");
  input->add_shape(-1);
  input->mutable_shape()->Add(config.input.shape.begin(),
                              config.input.shape.end());
  const auto classes = static_cast<int64_t>(config.classes.size());
  for (const InferOutput output : AllInferOutputs()) {
    const InferOutputInfo& info = InfoOf(output);
    auto* tensor = response->add_outputs();
    tensor->set_name(info.name.data(), info.name.size());
    tensor->set_datatype(info.datatype.data(), info.datatype.size());
    tensor->add_shape(-1);
    if (info.a_class) tensor->add_shape(classes);
  }
  auto& properties = *response->mutable_properties();
  for (auto& [name, value] : Facts(*model.model)) properties[name] = value;
  for (int64_t i = 0; i < classes; ++i) {
    properties[absl::StrCat("class.", i)] = config.classes[i];
  }
}

void FillModelConfig(const ServedModel& model, int64_t max_rows,
                     inference::ModelConfig* config) {
  const ModelConfig& ours = model.model->config();
  const auto classes = static_cast<int64_t>(ours.classes.size());
  config->set_name(model.name);
  config->set_platform(kPlatform);
  config->set_backend(kPlatform);
  config->set_max_batch_size(static_cast<int32_t>(max_rows));
  auto* input = config->add_input();
  input->set_name(kInferInput.data(), kInferInput.size());
  input->set_data_type(inference::TYPE_UINT8);
  input->mutable_dims()->Add(ours.input.shape.begin(), ours.input.shape.end());
  for (const InferOutput output : AllInferOutputs()) {
    const InferOutputInfo& info = InfoOf(output);
    auto* tensor = config->add_output();
    tensor->set_name(info.name.data(), info.name.size());
    tensor->set_data_type(static_cast<inference::DataType>(info.config_type));
    if (info.a_class) tensor->add_dims(classes);
  }
  auto& parameters = *config->mutable_parameters();
  for (auto& [name, value] : Facts(*model.model)) {
    parameters[name].set_string_value(value);
  }
  parameters["classes"].set_string_value(absl::StrCat(classes));
  config->mutable_model_transaction_policy()->set_decoupled(true);
}

void FillModelStatistics(const ServedModel& model,
                         const ModelStatistics::Snapshot& snapshot,
                         absl::Duration to_wall,
                         inference::ModelStatistics* statistics) {
  statistics->set_name(model.name);
  statistics->set_version(absl::StrCat(model.version));
  if (snapshot.last_answer > absl::InfinitePast()) {
    statistics->set_last_inference(static_cast<uint64_t>(
        absl::ToUnixMillis(snapshot.last_answer + to_wall)));
  }
  statistics->set_inference_count(snapshot.rows_finished);
  statistics->set_execution_count(snapshot.passes);
  inference::InferStatistics* times = statistics->mutable_inference_stats();
  Set(snapshot.success, times->mutable_success());
  Set(snapshot.fail, times->mutable_fail());
  Set(snapshot.queue, times->mutable_queue());
  Set(snapshot.read, times->mutable_compute_input());
  Set(snapshot.made, times->mutable_compute_output());
  // Every row that begins has a step 0.
  ModelStatistics::Total compute;
  if (!snapshot.steps.empty()) compute.count = snapshot.steps[0].passes.count;
  for (size_t i = 0; i < snapshot.steps.size(); ++i) {
    const ModelStatistics::Snapshot::Step& step = snapshot.steps[i];
    compute.ns += step.passes.ns;
    if (step.passes.count == 0) continue;
    auto& response = (*statistics->mutable_response_stats())[absl::StrCat(i)];
    Set(step.passes, response.mutable_compute_infer());
    Set(step.elapsed, response.mutable_success());
  }
  Set(compute, times->mutable_compute_infer());
  for (const ModelStatistics::Snapshot::Batch& batch : snapshot.batches) {
    auto* stats = statistics->add_batch_stats();
    stats->set_batch_size(static_cast<uint64_t>(batch.rows));
    Set(batch.passes, stats->mutable_compute_infer());
  }
}

void FillModelIndex(const VersionStatus& status,
                    inference::RepositoryIndexResponse::ModelIndex* index) {
  index->set_name(status.name);
  index->set_version(absl::StrCat(status.version));
  index->set_state(std::string(VersionStateName(status.state)));
  index->set_reason(FieldText(status.reason));
}

}  // namespace mre
