// Which addresses only this machine can reach.
#ifndef MRE_MODEL_BASE_LOOPBACK_H_
#define MRE_MODEL_BASE_LOOPBACK_H_

#include "absl/strings/string_view.h"

namespace mre {

// True for "localhost" and for addresses in 127.0.0.0/8 or equal to ::1, with
// or without brackets. False for every other name, whatever it stands for now:
// what it stands for may change.
bool IsLoopback(absl::string_view host);

// The HOST of "HOST:PORT" or "[HOST]:PORT".
absl::string_view HostOf(absl::string_view address);

}  // namespace mre

#endif  // MRE_MODEL_BASE_LOOPBACK_H_
