// Flags -> request messages.
#ifndef MRE_CLIENT_CLI_REQUEST_H_
#define MRE_CLIENT_CLI_REQUEST_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cc/client.h"
#include "client/cli/flags.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// A finite length of time such as 5ms or 1m30s, not negative.
// INVALID_ARGUMENT, naming the flag, for anything else.
absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag,
                                                 const std::string& text);

// INVALID_ARGUMENT, naming the flag, for values that no budget can have.
absl::StatusOr<v1::Budget> MakeBudget(const BudgetFlags& flags);

// Everything of the request but its model, input and id.
absl::StatusOr<v1::PredictRequest> MakeRequest(const Flags& flags);

// --deadline.
absl::StatusOr<CallOptions> MakeCallOptions(const Flags& flags);

}  // namespace mre

#endif  // MRE_CLIENT_CLI_REQUEST_H_
