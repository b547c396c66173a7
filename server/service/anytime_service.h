// The gRPC service mre.v1.AnytimeInference.
#ifndef MRE_SERVER_SERVICE_ANYTIME_SERVICE_H_
#define MRE_SERVER_SERVICE_ANYTIME_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "proto/mre/v1/anytime.grpc.pb.h"
#include "server/service/call.h"

namespace mre {

// Thread-safe. gRPC's threads parse, check and enqueue here; all computing is
// the scheduler's.
class AnytimeService final : public v1::AnytimeInference::CallbackService {
 public:
  // `context` outlives the service, and the service its calls.
  explicit AnytimeService(const CallContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* rpc,
                                    const v1::PredictRequest* request,
                                    v1::PredictUpdate* response) override;
  grpc::ServerWriteReactor<v1::PredictUpdate>* PredictStream(
      grpc::CallbackServerContext* rpc,
      const v1::PredictRequest* request) override;
  grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>*
  PredictInteractive(grpc::CallbackServerContext* rpc) override;
  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* rpc, const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* rpc,
                                     const v1::GetModelRequest* request,
                                     v1::ModelInfo* response) override;

 private:
  const CallContext& context_;
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_ANYTIME_SERVICE_H_
