// ModelInfer and ModelStreamInfer.
#ifndef MRE_SERVER_SERVICE_INFERENCE_CALLS_H_
#define MRE_SERVER_SERVICE_INFERENCE_CALLS_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "proto/inference/grpc_service.pb.h"
#include "server/service/call.h"

namespace mre {

// The model of an rpc of this protocol: `version` as its clients write it.
absl::StatusOr<std::shared_ptr<const ServedModel>> FindModel(
    const CallContext& context, absl::string_view name,
    absl::string_view version);

// Start a call; the reactor they return belongs to gRPC and deletes itself.
// `context` outlives the call.
grpc::ServerUnaryReactor* StartModelInfer(
    const CallContext& context, grpc::CallbackServerContext* rpc,
    const inference::ModelInferRequest* message,
    inference::ModelInferResponse* response);

grpc::ServerBidiReactor<inference::ModelInferRequest,
                        inference::ModelStreamInferResponse>*
StartModelStreamInfer(const CallContext& context,
                      grpc::CallbackServerContext* rpc);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INFERENCE_CALLS_H_
