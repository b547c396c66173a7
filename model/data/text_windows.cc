#include "model/data/text_windows.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mre {
namespace {

// Of the windows that begin at [first, last).
LabelledImages Cut(absl::string_view text, size_t window, size_t first,
                   size_t last, const std::array<uint8_t, 256>& class_of) {
  LabelledImages windows;
  windows.images.reserve((last - first) * window);
  windows.labels.reserve(last - first);
  for (size_t at = first; at < last; ++at) {
    const absl::string_view bytes = text.substr(at, window);
    windows.images.insert(windows.images.end(), bytes.begin(), bytes.end());
    windows.labels.push_back(class_of[static_cast<uint8_t>(text[at + window])]);
  }
  return windows;
}

}  // namespace

std::string CharacterName(uint8_t byte) {
  switch (byte) {
    case ' ':
      return "space";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  if (byte > ' ' && byte < 0x7f) return std::string(1, static_cast<char>(byte));
  return absl::StrCat("\\x", absl::Hex(byte, absl::kZeroPad2));
}

absl::StatusOr<TextTask> CutWindows(absl::string_view text, size_t window) {
  if (text.size() < 2 || text.size() - 2 < window) {
    return absl::InvalidArgumentError(
        absl::StrCat("text: expected two bytes more than the window's ", window,
                     " at least, got ", text.size(), " bytes in all"));
  }
  if (window > kMaxWindowsBytes / text.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "text: expected windows of ", kMaxWindowsBytes,
        " bytes in all at most, got ", text.size(), " windows of ", window));
  }
  TextTask task;
  std::array<bool, 256> occurs{};
  for (const char c : text) occurs[static_cast<uint8_t>(c)] = true;
  std::array<uint8_t, 256> class_of{};
  for (size_t byte = 0; byte < occurs.size(); ++byte) {
    if (!occurs[byte]) continue;
    class_of[byte] = static_cast<uint8_t>(task.classes.size());
    task.classes.push_back(CharacterName(static_cast<uint8_t>(byte)));
  }
  const size_t places = text.size() - window;
  const size_t learned = places - std::max<size_t>(1, places / 10);
  task.train = Cut(text, window, 0, learned, class_of);
  task.test = Cut(text, window, learned, places, class_of);
  return task;
}

}  // namespace mre
