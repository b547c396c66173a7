// Two small things that the HTTP library does not do for us.
#ifndef MRE_SERVER_METRICS_TCP_H_
#define MRE_SERVER_METRICS_TCP_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mre {

// Whether a server could listen on "HOST:PORT" ("[HOST]:PORT" for IPv6), with
// the system's reason when not, as ListenError gives it; INVALID_ARGUMENT for a
// name that is none. Nothing stays bound.
absl::Status CheckCanListen(absl::string_view address);

// Connects to "HOST:PORT" and hangs up at once.
void ConnectOnce(absl::string_view address);

}  // namespace mre

#endif  // MRE_SERVER_METRICS_TCP_H_
