// A plain text as a task: which character comes next? A character is a byte;
// what encoding the text has does not matter.
#ifndef MRE_MODEL_DATA_TEXT_WINDOWS_H_
#define MRE_MODEL_DATA_TEXT_WINDOWS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/data/labelled_images.h"

namespace mre {

// Most bytes that all windows of a text may take together.
inline constexpr size_t kMaxWindowsBytes = size_t{1} << 32;

// An "image" is `window` bytes of the text, its label the class of the byte
// that follows. The first 90 % of the places that have a window before them
// are to be learned, in the text's order; the rest, one at least, is the test.
struct TextTask {
  std::vector<std::string> classes;  // the bytes that occur, ascending
  LabelledImages train;
  LabelledImages test;
};

// A byte as a class is called: itself when it is printable, `space` for the
// space, otherwise as C escapes it: \n, \t, \r, \\, \x80.
std::string CharacterName(uint8_t byte);

// Windows overlap and each is a copy: the task takes `window` + 1 times the
// text's bytes. INVALID_ARGUMENT for a text without two places or one whose
// windows take more than kMaxWindowsBytes. REQUIRES: window >= 1.
absl::StatusOr<TextTask> CutWindows(absl::string_view text, size_t window);

}  // namespace mre

#endif  // MRE_MODEL_DATA_TEXT_WINDOWS_H_
