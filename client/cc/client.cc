#include "client/cc/client.h"

#include <set>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cc/connection.h"
#include "client/cc/credentials.h"
#include "client/cc/health.h"
#include "client/cc/rpc_status.h"
#include "client/cc/target.h"
#include "model/base/status_macros.h"
#include "proto/inference/grpc_service.grpc.pb.h"

namespace mre {
namespace {

// A refused connection is tried again this soon, so that a server that is just
// starting is found quickly.
constexpr int kFirstRetryMs = 100;
constexpr int kLastRetryMs = 2000;

// How long a connection may take to be made, TLS and greetings included. gRPC
// calls this its least backoff.
constexpr int kConnectMs = 5000;

// How long a call may take that only asks why there is no connection. The
// channel knows already, so it fails at once.
constexpr absl::Duration kAskWhy = absl::Milliseconds(100);

// Of several servers: all in turn, but for those whose health is not SERVING.
constexpr char kInTurn[] =
    R"({"loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": "mre.v1.AnytimeInference"}})";

// Why the last try to connect failed, as " (...)"; empty when gRPC does not
// say.
std::string WhyNot(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kAskWhy));
  v1::ListModelsResponse response;
  const grpc::Status status =
      v1::AnytimeInference::NewStub(channel)->ListModels(&context, {},
                                                         &response);
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return "";
  return absl::StrCat(" (", status.error_message(), ")");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(
    const ClientOptions& options) {
  ASSIGN_OR_RETURN(const Target target, ParseTarget(options.target));
  if (options.max_message_bytes <= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_message_bytes is ", options.max_message_bytes, ", not positive"));
  }
  grpc::ChannelArguments args;
  args.SetMaxSendMessageSize(options.max_message_bytes);
  args.SetMaxReceiveMessageSize(options.max_message_bytes);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Otherwise gRPC gives channels to one target one connection.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstRetryMs);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastRetryMs);
  if (target.several) args.SetServiceConfigJSON(kInTurn);
  ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options, args));
  auto channel = grpc::CreateCustomChannel(target.uri, credentials, args);
  const absl::Time deadline = absl::Now() + options.connect_timeout;
  if (!channel->WaitForConnected(absl::ToChronoTime(deadline))) {
    return absl::UnavailableError(absl::StrCat(
        "no connection to ", options.target, " within ",
        absl::FormatDuration(options.connect_timeout), WhyNot(channel),
        ": is mre-server running there? It was asked ",
        options.tls.on ? "with" : "without", " TLS",
        options.tls.on && options.tls.client_cert_file.empty()
            ? " and no client certificate, which it may want"
            : ""));
  }
  return absl::WrapUnique(new Client(
      std::make_unique<Connection>(std::move(channel), options.token)));
}

Client::Client(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

Client::~Client() = default;

absl::StatusOr<v1::PredictUpdate> Client::Predict(
    const v1::PredictRequest& request, const CallOptions& call) const {
  grpc::ClientContext context;
  connection_->Configure(call, context);
  v1::PredictUpdate update;
  RETURN_IF_ERROR(FromRpcStatus(
      connection_->stub().Predict(&context, request, &update), context));
  return update;
}

absl::Status Client::Stream(
    const v1::PredictRequest& request,
    absl::FunctionRef<bool(const v1::PredictUpdate&)> on_update,
    const CallOptions& call) const {
  grpc::ClientContext context;
  connection_->Configure(call, context);
  const auto reader = connection_->stub().PredictStream(&context, request);
  v1::PredictUpdate update;
  bool wanted = true;
  while (reader->Read(&update)) {
    if (!wanted) continue;  // Cancelled: what was under way is thrown away.
    wanted = on_update(update);
    if (!wanted) context.TryCancel();
  }
  const grpc::Status status = reader->Finish();
  return wanted ? FromRpcStatus(status, context) : absl::OkStatus();
}

std::unique_ptr<InteractiveSession> Client::OpenSession(
    const CallOptions& call) const {
  return absl::WrapUnique(new InteractiveSession(*connection_, call));
}

absl::StatusOr<v1::ListModelsResponse> Client::ListModels(
    const CallOptions& call) const {
  grpc::ClientContext context;
  connection_->Configure(call, context);
  v1::ListModelsResponse response;
  RETURN_IF_ERROR(FromRpcStatus(
      connection_->stub().ListModels(&context, {}, &response), context));
  return response;
}

absl::StatusOr<v1::ModelInfo> Client::GetModel(const std::string& name,
                                               const ModelVersion& version,
                                               const CallOptions& call) const {
  grpc::ClientContext context;
  connection_->Configure(call, context);
  v1::GetModelRequest request;
  request.set_model_name(name);
  request.set_model_version(version.number);
  request.set_model_label(version.label);
  v1::ModelInfo info;
  RETURN_IF_ERROR(FromRpcStatus(
      connection_->stub().GetModel(&context, request, &info), context));
  return info;
}

absl::StatusOr<v1::ModelInfo> Client::FindModel(const std::string& name,
                                                const ModelVersion& version,
                                                const CallOptions& call) const {
  std::string chosen = name;
  if (chosen.empty()) {
    ASSIGN_OR_RETURN(const v1::ListModelsResponse list, ListModels(call));
    std::set<std::string> ready;
    for (const v1::ModelInfo& model : list.models()) {
      if (model.state() == v1::MODEL_STATE_READY)
        ready.insert(model.model_name());
    }
    if (ready.empty()) {
      return absl::NotFoundError("the server has no model that is ready");
    }
    if (ready.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("the server has several models, and one must be named: ",
                       absl::StrJoin(ready, ", ")));
    }
    chosen = *ready.begin();
  }
  ASSIGN_OR_RETURN(v1::ModelInfo info, GetModel(chosen, version, call));
  if (info.state() == v1::MODEL_STATE_READY) return info;
  return absl::UnavailableError(absl::StrCat("model \"", chosen, "\" version ",
                                             info.model_version(),
                                             " is not ready: ", info.error()));
}

absl::Status Client::LoadModel(const std::string& name,
                               const CallOptions& call) const {
  grpc::ClientContext context;
  connection_->Configure(call, context);
  inference::RepositoryModelLoadRequest request;
  request.set_model_name(name);
  inference::RepositoryModelLoadResponse response;
  return FromRpcStatus(
      inference::GRPCInferenceService::NewStub(connection_->channel())
          ->RepositoryModelLoad(&context, request, &response),
      context);
}

absl::Status Client::UnloadModel(const std::string& name,
                                 const CallOptions& call) const {
  grpc::ClientContext context;
  connection_->Configure(call, context);
  inference::RepositoryModelUnloadRequest request;
  request.set_model_name(name);
  inference::RepositoryModelUnloadResponse response;
  return FromRpcStatus(
      inference::GRPCInferenceService::NewStub(connection_->channel())
          ->RepositoryModelUnload(&context, request, &response),
      context);
}

absl::StatusOr<ServingStatus> Client::Health(const std::string& service,
                                             const CallOptions& call) const {
  return CheckHealth(*connection_, service, call);
}

}  // namespace mre
