#include "server/service/inference_service.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
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

// Answers an rpc that `say` has an answer for at once. Nobody needs a token
// without a `scope`.
ServerUnaryReactor* Say(
    const CallContext& context, CallbackServerContext* rpc, Method method,
    std::optional<Scope> scope,
    absl::FunctionRef<absl::Status(CallRecord& record)> say) {
  CallRecord record(context, method, rpc);
  absl::Status status;
  if (scope.has_value())
    status = Enter(context, *scope, *rpc, &record).status();
  if (status.ok()) status = say(record);
  return Answer(context, rpc, status, record);
}

// Answers an rpc about one model, with what `fill` says of it.
ServerUnaryReactor* SayAbout(const CallContext& context,
                             CallbackServerContext* rpc, Method method,
                             absl::string_view name, absl::string_view version,
                             absl::FunctionRef<void(const ServedModel&)> fill) {
  return Say(context, rpc, method, Scope::kInfer, [&](CallRecord& record) {
    const auto model = FindModel(context, name, version);
    if (!model.ok()) return model.status();
    record.set_model(*model);
    fill(**model);
    return absl::OkStatus();
  });
}

ServerUnaryReactor* Refuse(const CallContext& context,
                           CallbackServerContext* rpc,
                           absl::string_view message) {
  return Say(context, rpc, Method::kUnsupported, Scope::kInfer,
             [&](CallRecord&) { return absl::UnimplementedError(message); });
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

// Has the repository load or unload a model, and answers when it has.
ServerUnaryReactor* Control(
    const CallContext& context, CallbackServerContext* rpc, Method method,
    const std::string& name, absl::Status checked,
    const std::function<void(Repository&, Repository::Done)>& command) {
  auto record = std::make_shared<CallRecord>(context, method, rpc);
  record->set_model_name(name);
  auto* call = new PlainCall(context, rpc);
  absl::Status status =
      Enter(context, Scope::kAdmin, *rpc, record.get()).status();
  if (status.ok()) status = std::move(checked);
  if (!status.ok()) {
    call->Answer(status, *record);
  } else {
    command(*context.repository, [record, call](const absl::Status& done) {
      call->Answer(done, *record);
    });
  }
  return call;
}

// Versions of the model that are ready, or the one that was asked for.
std::vector<int64_t> VersionsOf(const Repository& repository,
                                const ServedModel& model,
                                absl::string_view asked) {
  if (!asked.empty()) return {model.version};
  std::vector<int64_t> versions;
  for (const VersionStatus& other : repository.List()) {
    if (other.name == model.name && other.served != nullptr) {
      versions.push_back(other.version);
    }
  }
  return versions;
}

}  // namespace

ServerUnaryReactor* InferenceService::ServerLive(
    CallbackServerContext* rpc, const inference::ServerLiveRequest* /*request*/,
    inference::ServerLiveResponse* response) {
  return Say(context_, rpc, Method::kServerLive, std::nullopt,
             [&](CallRecord&) {
               response->set_live(true);
               return absl::OkStatus();
             });
}

ServerUnaryReactor* InferenceService::ServerReady(
    CallbackServerContext* rpc,
    const inference::ServerReadyRequest* /*request*/,
    inference::ServerReadyResponse* response) {
  return Say(context_, rpc, Method::kServerReady, std::nullopt,
             [&](CallRecord&) {
               response->set_ready(!context_.calls->leaving());
               return absl::OkStatus();
             });
}

ServerUnaryReactor* InferenceService::ModelReady(
    CallbackServerContext* rpc, const inference::ModelReadyRequest* request,
    inference::ModelReadyResponse* response) {
  return Say(context_, rpc, Method::kModelReady, Scope::kInfer,
             [&](CallRecord& record) {
               const auto model =
                   FindModel(context_, request->name(), request->version());
               if (model.ok()) record.set_model(*model);
               response->set_ready(model.ok() && !context_.calls->leaving());
               return absl::OkStatus();
             });
}

ServerUnaryReactor* InferenceService::ServerMetadata(
    CallbackServerContext* rpc,
    const inference::ServerMetadataRequest* /*request*/,
    inference::ServerMetadataResponse* response) {
  return Say(context_, rpc, Method::kServerMetadata, Scope::kInfer,
             [&](CallRecord&) {
               FillServerMetadata(response);
               return absl::OkStatus();
             });
}

ServerUnaryReactor* InferenceService::ModelMetadata(
    CallbackServerContext* rpc, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  return SayAbout(
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
  return SayAbout(context_, rpc, Method::kModelConfig, request->name(),
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
    return SayAbout(context_, rpc, Method::kModelStatistics, request->name(),
                    request->version(), add);
  }
  const auto say = [&](CallRecord&) {
    for (const VersionStatus& status : context_.repository->List()) {
      const bool asked =
          request->name().empty() || request->name() == status.name;
      if (asked && status.served != nullptr) add(*status.served);
    }
    // The status of a name that there is none of says which there are.
    return response->model_stats().empty() && !request->name().empty()
               ? FindModel(context_, request->name(), "").status()
               : absl::OkStatus();
  };
  return Say(context_, rpc, Method::kModelStatistics, Scope::kInfer, say);
}

ServerUnaryReactor* InferenceService::RepositoryIndex(
    CallbackServerContext* rpc,
    const inference::RepositoryIndexRequest* request,
    inference::RepositoryIndexResponse* response) {
  return Say(
      context_, rpc, Method::kRepositoryIndex, Scope::kInfer, [&](CallRecord&) {
        absl::Status status = CheckRepositoryName(request->repository_name());
        if (!status.ok()) return status;
        for (const VersionStatus& version : context_.repository->Index()) {
          if (request->ready() && version.served == nullptr) continue;
          FillModelIndex(version, response->add_models());
        }
        return status;
      });
}

ServerUnaryReactor* InferenceService::RepositoryModelLoad(
    CallbackServerContext* rpc,
    const inference::RepositoryModelLoadRequest* request,
    inference::RepositoryModelLoadResponse* /*response*/) {
  return Control(
      context_, rpc, Method::kRepositoryModelLoad, request->model_name(),
      CheckControl(request->repository_name(), request->parameters(), ""),
      [&](Repository& repository, Repository::Done done) {
        repository.Load(request->model_name(), std::move(done));
      });
}

ServerUnaryReactor* InferenceService::RepositoryModelUnload(
    CallbackServerContext* rpc,
    const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse* /*response*/) {
  return Control(context_, rpc, Method::kRepositoryModelUnload,
                 request->model_name(),
                 CheckControl(request->repository_name(), request->parameters(),
                              "unload_dependents"),
                 [&](Repository& repository, Repository::Done done) {
                   repository.Unload(request->model_name(), std::move(done));
                 });
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
