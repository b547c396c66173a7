// PredictInteractive: many requests on one stream.
#ifndef MRE_SERVER_SERVICE_INTERACTIVE_CALL_H_
#define MRE_SERVER_SERVICE_INTERACTIVE_CALL_H_

#include <grpcpp/grpcpp.h>

#include "proto/mre/v1/anytime.pb.h"
#include "server/service/call.h"

namespace mre {

// Starts a call; the reactor it returns belongs to gRPC and deletes itself.
// `context` outlives the call.
grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>*
StartPredictInteractive(const CallContext& context,
                        grpc::CallbackServerContext* rpc);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INTERACTIVE_CALL_H_
