// Two small things that the HTTP library does not do for us.
#ifndef MRE_SERVER_METRICS_TCP_H_
#define MRE_SERVER_METRICS_TCP_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mre {

// Whether a server could listen on "HOST:PORT" ("[HOST]:PORT" for IPv6), with
// the system's reason when not, such as "Address already in use":
// ALREADY_EXISTS when it is that one, INVALID_ARGUMENT when this machine has no
// such address, else UNAVAILABLE. Nothing stays bound.
absl::Status CheckCanListen(absl::string_view address);

// The error for a server that cannot: "cannot serve gRPC on 127.0.0.1:8001:
// Address already in use; --grpc_port=0 takes a free port". `what` and
// `port_flag` are "gRPC" and "grpc_port" then.
absl::Status CannotServe(absl::string_view what, absl::string_view port_flag,
                         const absl::Status& why);

// Connects to "HOST:PORT" and hangs up at once.
void ConnectOnce(absl::string_view address);

}  // namespace mre

#endif  // MRE_SERVER_METRICS_TCP_H_
