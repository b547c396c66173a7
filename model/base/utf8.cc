#include "model/base/utf8.h"

namespace mre {

absl::string_view Utf8Prefix(absl::string_view text, size_t most) {
  if (text.size() <= most) return text;
  size_t end = most;
  // A letter's bytes after the first are 10xxxxxx, 3 of them at most.
  while (end > 0 && most - end < 3 &&
         (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;
  }
  return text.substr(0, end);
}

}  // namespace mre
