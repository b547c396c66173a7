// Predict and PredictStream: one request a call.
#ifndef MRE_SERVER_SERVICE_PREDICT_CALLS_H_
#define MRE_SERVER_SERVICE_PREDICT_CALLS_H_

#include <grpcpp/grpcpp.h>

#include "proto/mre/v1/anytime.pb.h"
#include "server/service/call.h"

namespace mre {

// Start a call; the reactor they return belongs to gRPC and deletes itself.
// `context` outlives the call.
grpc::ServerUnaryReactor* StartPredict(const CallContext& context,
                                       grpc::CallbackServerContext* rpc,
                                       const v1::PredictRequest* message,
                                       v1::PredictUpdate* response);

grpc::ServerWriteReactor<v1::PredictUpdate>* StartPredictStream(
    const CallContext& context, grpc::CallbackServerContext* rpc,
    const v1::PredictRequest* message);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_PREDICT_CALLS_H_
