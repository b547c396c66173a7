#include "model/base/listen_error.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace mre {

absl::Status ListenError(absl::string_view address, int error) {
  const absl::StatusCode code =
      error == EADDRINUSE      ? absl::StatusCode::kAlreadyExists
      : error == EADDRNOTAVAIL ? absl::StatusCode::kInvalidArgument
                               : absl::StatusCode::kUnavailable;
  return absl::Status(code, absl::StrCat(address, ": ", std::strerror(error)));
}

absl::Status CannotServe(absl::string_view what, absl::string_view port_flag,
                         const absl::Status& why) {
  std::string advice;
  if (absl::IsAlreadyExists(why)) {
    advice = absl::StrCat("; --", port_flag, "=0 takes a free port");
  } else if (absl::IsInvalidArgument(why)) {
    advice = "; --host must be an address of this machine";
  }
  return absl::UnavailableError(
      absl::StrCat("cannot serve ", what, " on ", why.message(), advice));
}

}  // namespace mre
