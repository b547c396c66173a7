// PredictInteractive: many requests on one stream.
#ifndef MRE_SERVER_SERVICE_INTERACTIVE_CALL_H_
#define MRE_SERVER_SERVICE_INTERACTIVE_CALL_H_

#include <grpcpp/grpcpp.h>

#include "proto/mre/v1/anytime.pb.h"
#include "server/service/call.h"

namespace mre {

// Requests that one stream may have open (opened and not yet answered in
// full); one more is refused with RESOURCE_EXHAUSTED. While as many refusals
// wait to be sent the server does not read on, so that a client that does not
// read cannot make it remember more.
inline constexpr size_t kMaxOpenRequests = 1024;

// Starts a call; the reactor it returns belongs to gRPC and deletes itself.
// `context` outlives the call.
grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>*
StartPredictInteractive(const CallContext& context,
                        grpc::CallbackServerContext* rpc);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INTERACTIVE_CALL_H_
