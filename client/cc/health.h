// grpc.health.v1.Health/Check without generated code: its two messages have
// one field each, so protobuf's unknown fields write and read them.
//
//   message HealthCheckRequest { string service = 1; }
//   message HealthCheckResponse { ServingStatus status = 1; }
//   enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; ... }
#ifndef MRE_CLIENT_CC_HEALTH_H_
#define MRE_CLIENT_CC_HEALTH_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cc/client.h"

namespace mre {

// The bytes of a HealthCheckRequest.
std::string EncodeHealthRequest(const std::string& service);

// The status in the bytes of a HealthCheckResponse. INTERNAL when they are not
// one; kUnknown for values that this library does not know.
absl::StatusOr<ServingStatus> DecodeHealthResponse(const std::string& bytes);

// One Check of `service`; see Client::Health.
absl::StatusOr<ServingStatus> CheckHealth(const Connection& connection,
                                          const std::string& service,
                                          const CallOptions& options);

}  // namespace mre

#endif  // MRE_CLIENT_CC_HEALTH_H_
