// Errors of who wants to listen at a port and cannot.
#ifndef MRE_MODEL_BASE_LISTEN_ERROR_H_
#define MRE_MODEL_BASE_LISTEN_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mre {

// "ADDRESS: Address already in use", of an errno: ALREADY_EXISTS when it is
// that one, INVALID_ARGUMENT when this machine has no such address, else
// UNAVAILABLE.
absl::Status ListenError(absl::string_view address, int error);

// The error for a server that cannot: "cannot serve gRPC on 127.0.0.1:8001:
// Address already in use; --grpc_port=0 takes a free port". `what` and
// `port_flag` are "gRPC" and "grpc_port" then, `why` has the codes of
// ListenError.
absl::Status CannotServe(absl::string_view what, absl::string_view port_flag,
                         const absl::Status& why);

}  // namespace mre

#endif  // MRE_MODEL_BASE_LISTEN_ERROR_H_
