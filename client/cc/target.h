// The addresses of a client, as gRPC wants them.
#ifndef MRE_CLIENT_CC_TARGET_H_
#define MRE_CLIENT_CC_TARGET_H_

#include <string>

#include "absl/status/statusor.h"

namespace mre {

struct Target {
  std::string uri;       // what a channel is made for
  bool several = false;  // addresses, to be used in turn
};

// Of HOST:PORT, or several with commas between; an IPv6 address is in brackets,
// as in [::1]:8001. Hosts among several are looked
// up here, which may take a while; all must have an address of one kind, IPv4
// or IPv6. INVALID_ARGUMENT for a text that is neither, or hosts that are not
// found.
absl::StatusOr<Target> ParseTarget(const std::string& text);

}  // namespace mre

#endif  // MRE_CLIENT_CC_TARGET_H_
