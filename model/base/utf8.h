// Texts that must be shown in part.
#ifndef MRE_MODEL_BASE_UTF8_H_
#define MRE_MODEL_BASE_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace mre {

// The beginning of a text, `most` bytes or up to 3 fewer, so that no letter is
// cut: a protobuf string with half a letter cannot be parsed.
absl::string_view Utf8Prefix(absl::string_view text, size_t most);

}  // namespace mre

#endif  // MRE_MODEL_BASE_UTF8_H_
