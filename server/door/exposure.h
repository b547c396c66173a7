// Who can listen in on a server, or call it, given how it is started.
#ifndef MRE_SERVER_DOOR_EXPOSURE_H_
#define MRE_SERVER_DOOR_EXPOSURE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/door/options.h"

namespace mre {

// What whoever starts the server on `host` should know; each names the flags
// that end it. Nothing on loopback.
std::vector<std::string> ExposureWarnings(const DoorOptions& options,
                                          absl::string_view host);

// FAILED_PRECONDITION when tokens would cross a network in the clear and
// nobody has said that they may.
absl::Status CheckExposure(const DoorOptions& options, absl::string_view host);

}  // namespace mre

#endif  // MRE_SERVER_DOOR_EXPOSURE_H_
