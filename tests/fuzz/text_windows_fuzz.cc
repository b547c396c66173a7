// Any bytes are refused or make the windows of that text, in order. The first
// byte says how long the windows are.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/data/text_windows.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// Checks `part`, the windows from `first` on; returns how many they are.
size_t Check(const mre::LabelledImages& part, size_t first,
             absl::string_view text, size_t window,
             const std::vector<std::string>& classes) {
  const size_t count = part.labels.size();
  Require(count > 0 && part.images.size() == count * window);
  for (size_t i = 0; i < count; ++i) {
    for (size_t at = 0; at < window; ++at) {
      Require(part.images[i * window + at] ==
              static_cast<uint8_t>(text[first + i + at]));
    }
    Require(part.labels[i] < classes.size());
    Require(classes[part.labels[i]] ==
            mre::CharacterName(static_cast<uint8_t>(text[first + i + window])));
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t window = 1 + data[0];
  const absl::string_view text(reinterpret_cast<const char*>(data + 1),
                               size - 1);
  const auto task = mre::CutWindows(text, window);
  Require(task.ok() == (text.size() >= window + 2));
  if (!task.ok()) {
    Require(!task.status().message().empty());
    return 0;
  }
  const size_t learned = Check(task->train, 0, text, window, task->classes);
  const size_t tested = Check(task->test, learned, text, window, task->classes);
  Require(learned + tested == text.size() - window);
  return 0;
}
