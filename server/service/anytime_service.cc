#include "server/service/anytime_service.h"

#include "model/base/status_macros.h"
#include "server/service/convert.h"
#include "server/service/interactive_call.h"
#include "server/service/predict_calls.h"

namespace mre {

grpc::ServerUnaryReactor* AnytimeService::Predict(
    grpc::CallbackServerContext* rpc, const v1::PredictRequest* request,
    v1::PredictUpdate* response) {
  return StartPredict(context_, rpc, request, response);
}

grpc::ServerWriteReactor<v1::PredictUpdate>* AnytimeService::PredictStream(
    grpc::CallbackServerContext* rpc, const v1::PredictRequest* request) {
  return StartPredictStream(context_, rpc, request);
}

grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>*
AnytimeService::PredictInteractive(grpc::CallbackServerContext* rpc) {
  return StartPredictInteractive(context_, rpc);
}

grpc::ServerUnaryReactor* AnytimeService::ListModels(
    grpc::CallbackServerContext* rpc, const v1::ListModelsRequest* /*request*/,
    v1::ListModelsResponse* response) {
  CallRecord record(context_, Method::kListModels, rpc);
  const absl::Status status =
      Enter(context_, Scope::kInfer, *rpc, &record).status();
  if (status.ok()) {
    for (const VersionStatus& version : context_.repository->Index()) {
      FillModelInfo(version, response->add_models());
    }
  }
  return Answer(context_, rpc, status, record);
}

grpc::ServerUnaryReactor* AnytimeService::GetModel(
    grpc::CallbackServerContext* rpc, const v1::GetModelRequest* request,
    v1::ModelInfo* response) {
  CallRecord record(context_, Method::kGetModel, rpc);
  const auto get = [&]() -> absl::Status {
    RETURN_IF_ERROR(Enter(context_, Scope::kInfer, *rpc, &record).status());
    ASSIGN_OR_RETURN(const VersionStatus found,
                     context_.repository->Get(request->model_name(),
                                              request->model_version(),
                                              request->model_label()));
    record.set_model(found.served);
    FillModelInfo(found, response);
    return absl::OkStatus();
  };
  return Answer(context_, rpc, get(), record);
}

}  // namespace mre
