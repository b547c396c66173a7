// Flags -> request messages.
#ifndef MRE_CLIENT_CLI_REQUEST_H_
#define MRE_CLIENT_CLI_REQUEST_H_

#include "absl/status/statusor.h"
#include "client/cli/flags.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// Everything of the request but its model, input and id.
absl::StatusOr<v1::PredictRequest> MakeRequest(const Flags& flags);

}  // namespace mre

#endif  // MRE_CLIENT_CLI_REQUEST_H_
