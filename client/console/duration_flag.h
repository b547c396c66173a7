// A length of time on the command line.
#ifndef MRE_CLIENT_CONSOLE_DURATION_FLAG_H_
#define MRE_CLIENT_CONSOLE_DURATION_FLAG_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace mre {

// A finite length of time such as 5ms or 1m30s, not negative.
// INVALID_ARGUMENT, naming the flag, for anything else.
absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag,
                                                 const std::string& text);

}  // namespace mre

#endif  // MRE_CLIENT_CONSOLE_DURATION_FLAG_H_
