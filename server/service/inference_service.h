// The gRPC service inference.GRPCInferenceService: the open inference protocol
// with Triton's extensions, beside our own service on the same port.
#ifndef MRE_SERVER_SERVICE_INFERENCE_SERVICE_H_
#define MRE_SERVER_SERVICE_INFERENCE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "proto/inference/grpc_service.grpc.pb.h"
#include "server/service/call.h"

namespace mre {

// Thread-safe. Each rpc is described in proto/inference/grpc_service.proto.
class InferenceService final
    : public inference::GRPCInferenceService::CallbackService {
 public:
  // `context` outlives the service, and the service its calls.
  explicit InferenceService(const CallContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* ServerLive(
      grpc::CallbackServerContext* rpc,
      const inference::ServerLiveRequest* request,
      inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(
      grpc::CallbackServerContext* rpc,
      const inference::ServerReadyRequest* request,
      inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(
      grpc::CallbackServerContext* rpc,
      const inference::ModelReadyRequest* request,
      inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(
      grpc::CallbackServerContext* rpc,
      const inference::ServerMetadataRequest* request,
      inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(
      grpc::CallbackServerContext* rpc,
      const inference::ModelMetadataRequest* request,
      inference::ModelMetadataResponse* response) override;

  grpc::ServerUnaryReactor* ModelInfer(
      grpc::CallbackServerContext* rpc,
      const inference::ModelInferRequest* request,
      inference::ModelInferResponse* response) override;
  grpc::ServerBidiReactor<inference::ModelInferRequest,
                          inference::ModelStreamInferResponse>*
  ModelStreamInfer(grpc::CallbackServerContext* rpc) override;

  grpc::ServerUnaryReactor* ModelConfig(
      grpc::CallbackServerContext* rpc,
      const inference::ModelConfigRequest* request,
      inference::ModelConfigResponse* response) override;
  grpc::ServerUnaryReactor* ModelStatistics(
      grpc::CallbackServerContext* rpc,
      const inference::ModelStatisticsRequest* request,
      inference::ModelStatisticsResponse* response) override;

  grpc::ServerUnaryReactor* RepositoryIndex(
      grpc::CallbackServerContext* rpc,
      const inference::RepositoryIndexRequest* request,
      inference::RepositoryIndexResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelLoad(
      grpc::CallbackServerContext* rpc,
      const inference::RepositoryModelLoadRequest* request,
      inference::RepositoryModelLoadResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelUnload(
      grpc::CallbackServerContext* rpc,
      const inference::RepositoryModelUnloadRequest* request,
      inference::RepositoryModelUnloadResponse* response) override;

  grpc::ServerUnaryReactor* SystemSharedMemoryStatus(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;
  grpc::ServerUnaryReactor* SystemSharedMemoryRegister(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;
  grpc::ServerUnaryReactor* SystemSharedMemoryUnregister(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;
  grpc::ServerUnaryReactor* CudaSharedMemoryStatus(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;
  grpc::ServerUnaryReactor* CudaSharedMemoryRegister(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;
  grpc::ServerUnaryReactor* CudaSharedMemoryUnregister(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;
  grpc::ServerUnaryReactor* TraceSetting(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;
  grpc::ServerUnaryReactor* LogSettings(
      grpc::CallbackServerContext* rpc, const inference::Unsupported* request,
      inference::Unsupported* response) override;

 private:
  const CallContext& context_;
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INFERENCE_SERVICE_H_
