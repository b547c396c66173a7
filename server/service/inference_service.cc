#include "server/service/inference_service.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/status_macros.h"
#include "server/service/checks.h"
#include "server/service/infer_parameters.h"
#include "server/service/inference_calls.h"
#include "server/service/inference_convert.h"
#include "server/service/inference_info.h"

namespace mre {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using ModelParameters =
    google::protobuf::Map<std::string, inference::ModelRepositoryParameter>;

// Counts an rpc that is answered at once, and answers it.
ServerUnaryReactor* Answer(const CallContext& context,
                           CallbackServerContext* rpc, Method method,
                           const absl::Status& status = absl::OkStatus(),
                           const ServedModel* model = nullptr) {
  CallRecord record(context, method);
  record.set_model(model);
  const grpc::Status wire = ToGrpcStatus(status);
  record.End(wire.error_code());
  ServerUnaryReactor* reactor = rpc->DefaultReactor();
  reactor->Finish(wire);
  return reactor;
}

// Answers an rpc about one model, with what `fill` says of it.
ServerUnaryReactor* AnswerAbout(
    const CallContext& context, CallbackServerContext* rpc, Method method,
    absl::string_view name, absl::string_view version,
    const std::function<void(const ServedModel&)>& fill) {
  const auto model = FindModel(context, name, version);
  if (!model.ok()) return Answer(context, rpc, method, model.status());
  fill(**model);
  return Answer(context, rpc, method, absl::OkStatus(), &**model);
}

ServerUnaryReactor* Refuse(const CallContext& context,
                           CallbackServerContext* rpc,
                           absl::string_view message) {
  return Answer(context, rpc, Method::kUnsupported,
                absl::UnimplementedError(message));
}

ServerUnaryReactor* RefuseSharedMemory(const CallContext& context,
                                       CallbackServerContext* rpc) {
  return Refuse(context, rpc,
                "there is no shared memory with clients: send values in "
                "raw_input_contents");
}

// The server has one repository, which has no name.
absl::Status CheckRepositoryName(absl::string_view name) {
  if (name.empty()) return absl::OkStatus();
  return Invalid(
      "repository_name",
      absl::StrCat("nothing, for the server has one repository, got ",
                   QuoteSent(name)));
}

absl::Status CheckControl(absl::string_view repository,
                          const ModelParameters& parameters,
                          absl::string_view taken) {
  RETURN_IF_ERROR(CheckRepositoryName(repository));
  for (const auto& [name, value] : parameters) {
    if (name == taken) continue;
    const bool writes = name == "config" || absl::StartsWith(name, "file:");
    return Invalid(ParameterName(name),
                   writes ? "nothing, for nothing is written into the "
                            "repository: put the files there"
                          : "no parameter of this name");
  }
  return absl::OkStatus();
}

absl::Status ControlIsOff() {
  return absl::UnavailableError(
      "model control is off: start with --model_control_mode=explicit");
}

// Versions of the model that are ready, or the one that was asked for.
std::vector<int64_t> VersionsOf(const Repository& repository,
                                const ServedModel& model,
                                absl::string_view asked) {
  if (!asked.empty()) return {model.version};
  std::vector<int64_t> versions;
  for (const auto& other : repository.List()) {
    if (other->name == model.name && other->ready()) {
      versions.push_back(other->version);
    }
  }
  return versions;
}

}  // namespace

ServerUnaryReactor* InferenceService::ServerLive(
    CallbackServerContext* rpc, const inference::ServerLiveRequest* /*request*/,
    inference::ServerLiveResponse* response) {
  response->set_live(true);
  return Answer(context_, rpc, Method::kServerLive);
}

ServerUnaryReactor* InferenceService::ServerReady(
    CallbackServerContext* rpc,
    const inference::ServerReadyRequest* /*request*/,
    inference::ServerReadyResponse* response) {
  response->set_ready(!context_.calls->draining());
  return Answer(context_, rpc, Method::kServerReady);
}

ServerUnaryReactor* InferenceService::ModelReady(
    CallbackServerContext* rpc, const inference::ModelReadyRequest* request,
    inference::ModelReadyResponse* response) {
  const auto model = FindModel(context_, request->name(), request->version());
  response->set_ready(model.ok() && !context_.calls->draining());
  return Answer(context_, rpc, Method::kModelReady, absl::OkStatus(),
                model.ok() ? &**model : nullptr);
}

ServerUnaryReactor* InferenceService::ServerMetadata(
    CallbackServerContext* rpc,
    const inference::ServerMetadataRequest* /*request*/,
    inference::ServerMetadataResponse* response) {
  FillServerMetadata(response);
  return Answer(context_, rpc, Method::kServerMetadata);
}

ServerUnaryReactor* InferenceService::ModelMetadata(
    CallbackServerContext* rpc, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  return AnswerAbout(
      context_, rpc, Method::kModelMetadata, request->name(),
      request->version(), [&](const ServedModel& model) {
        FillModelMetadata(
            model, VersionsOf(*context_.repository, model, request->version()),
            response);
      });
}

ServerUnaryReactor* InferenceService::ModelInfer(
    CallbackServerContext* rpc, const inference::ModelInferRequest* request,
    inference::ModelInferResponse* response) {
  return StartModelInfer(context_, rpc, request, response);
}

grpc::ServerBidiReactor<inference::ModelInferRequest,
                        inference::ModelStreamInferResponse>*
InferenceService::ModelStreamInfer(CallbackServerContext* rpc) {
  return StartModelStreamInfer(context_, rpc);
}

ServerUnaryReactor* InferenceService::ModelConfig(
    CallbackServerContext* rpc, const inference::ModelConfigRequest* request,
    inference::ModelConfigResponse* response) {
  return AnswerAbout(context_, rpc, Method::kModelConfig, request->name(),
                     request->version(), [&](const ServedModel& model) {
                       FillModelConfig(model, context_.max_rows_per_request,
                                       response->mutable_config());
                     });
}

ServerUnaryReactor* InferenceService::ModelStatistics(
    CallbackServerContext* rpc,
    const inference::ModelStatisticsRequest* request,
    inference::ModelStatisticsResponse* response) {
  const absl::Duration to_wall = absl::Now() - context_.clock->Now();
  const auto add = [&](const ServedModel& model) {
    FillModelStatistics(model,
                        context_.metrics->ForModel(model)->statistics().Look(),
                        to_wall, response->add_model_stats());
  };
  if (!request->name().empty() && !request->version().empty()) {
    return AnswerAbout(context_, rpc, Method::kModelStatistics, request->name(),
                       request->version(), add);
  }
  for (const auto& model : context_.repository->List()) {
    const bool asked =
        request->name().empty() || request->name() == model->name;
    if (asked && model->ready()) add(*model);
  }
  if (response->model_stats().empty()) {
    // Says which there are.
    const auto none = FindModel(context_, request->name(), "");
    return Answer(context_, rpc, Method::kModelStatistics, none.status());
  }
  return Answer(context_, rpc, Method::kModelStatistics);
}

ServerUnaryReactor* InferenceService::RepositoryIndex(
    CallbackServerContext* rpc,
    const inference::RepositoryIndexRequest* request,
    inference::RepositoryIndexResponse* response) {
  const absl::Status status = CheckRepositoryName(request->repository_name());
  if (status.ok()) {
    for (const auto& model : context_.repository->List()) {
      if (request->ready() && !model->ready()) continue;
      FillModelIndex(*model, response->add_models());
    }
  }
  return Answer(context_, rpc, Method::kRepositoryIndex, status);
}

ServerUnaryReactor* InferenceService::RepositoryModelLoad(
    CallbackServerContext* rpc,
    const inference::RepositoryModelLoadRequest* request,
    inference::RepositoryModelLoadResponse* /*response*/) {
  absl::Status status =
      CheckControl(request->repository_name(), request->parameters(), "");
  if (status.ok()) status = ControlIsOff();
  return Answer(context_, rpc, Method::kRepositoryModelLoad, status);
}

ServerUnaryReactor* InferenceService::RepositoryModelUnload(
    CallbackServerContext* rpc,
    const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse* /*response*/) {
  absl::Status status = CheckControl(
      request->repository_name(), request->parameters(), "unload_dependents");
  if (status.ok()) status = ControlIsOff();
  return Answer(context_, rpc, Method::kRepositoryModelUnload, status);
}

ServerUnaryReactor* InferenceService::SystemSharedMemoryStatus(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return RefuseSharedMemory(context_, rpc);
}

ServerUnaryReactor* InferenceService::SystemSharedMemoryRegister(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return RefuseSharedMemory(context_, rpc);
}

ServerUnaryReactor* InferenceService::SystemSharedMemoryUnregister(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return RefuseSharedMemory(context_, rpc);
}

ServerUnaryReactor* InferenceService::CudaSharedMemoryStatus(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return RefuseSharedMemory(context_, rpc);
}

ServerUnaryReactor* InferenceService::CudaSharedMemoryRegister(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return RefuseSharedMemory(context_, rpc);
}

ServerUnaryReactor* InferenceService::CudaSharedMemoryUnregister(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return RefuseSharedMemory(context_, rpc);
}

ServerUnaryReactor* InferenceService::TraceSetting(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return Refuse(context_, rpc,
                "there are no traces: ModelStatistics and the metrics page "
                "have times by phase and by step");
}

ServerUnaryReactor* InferenceService::LogSettings(
    CallbackServerContext* rpc, const inference::Unsupported* /*request*/,
    inference::Unsupported* /*response*/) {
  return Refuse(context_, rpc,
                "the log is set on the command line: mre-server --help");
}

}  // namespace mre
