// gRPC's status -> absl::Status: the one place.
#ifndef MRE_CLIENT_CC_RPC_STATUS_H_
#define MRE_CLIENT_CC_RPC_STATUS_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mre {

// The same code and the server's message. `pushback_ms` is the value of the
// trailing metadata grpc-retry-pushback-ms, empty when there was none; a valid
// one is added to the message in words and kept for RetryAfter(). Codes that
// gRPC does not define become UNKNOWN.
absl::Status FromRpcStatus(const grpc::Status& status,
                           absl::string_view pushback_ms);

// The same, with the metadata of the finished `call`.
absl::Status FromRpcStatus(const grpc::Status& status,
                           const grpc::ClientContext& call);

}  // namespace mre

#endif  // MRE_CLIENT_CC_RPC_STATUS_H_
