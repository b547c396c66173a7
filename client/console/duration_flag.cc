#include "client/console/duration_flag.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mre {

absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag,
                                                 const std::string& text) {
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value < absl::ZeroDuration() ||
      value > absl::Hours(24 * 366)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, " is \"", text,
                     "\", not a length of time such as 5ms, 2s or 1m30s "
                     "(of a year at most)"));
  }
  return value;
}

}  // namespace mre
