// How deep a JSON text nests, told without recursion: copying and writing
// parsed JSON recurse, and a text from outside must not overflow the stack.
#ifndef MRE_MODEL_BASE_JSON_DEPTH_H_
#define MRE_MODEL_BASE_JSON_DEPTH_H_

#include "absl/strings/string_view.h"

namespace mre {

// Brackets that may be open at once; those of our own texts are 5 at most.
inline constexpr int kMaxJsonDepth = 64;

// Brackets of `text` that are open at once, at most. Any text will do.
int JsonDepth(absl::string_view text);

}  // namespace mre

#endif  // MRE_MODEL_BASE_JSON_DEPTH_H_
