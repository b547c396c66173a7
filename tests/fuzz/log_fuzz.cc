// Any text is refused with a reason, or is a log whose first lines are kept as
// they are; the same for its epochs. The first byte is the step of the state.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "model/compare/run_result.h"
#include "model/train/run_log.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const int64_t step = data[0];
  const absl::string_view text(reinterpret_cast<const char*>(data) + 1,
                               size - 1);
  const auto kept = mre::LogUpTo(text, step);
  if (kept.ok()) {
    Require(absl::StartsWith(text, kept->lines));
    Require(kept->lines.empty() || kept->lines.back() == '\n');
    const auto again = mre::LogUpTo(kept->lines, step);
    Require(again.ok() && again->lines == kept->lines);
  } else {
    Require(!kept.status().message().empty());
  }
  const auto epochs = mre::EpochsOfLog(text);
  if (!epochs.ok()) {
    Require(!epochs.status().message().empty());
    return 0;
  }
  for (const mre::EpochResult& epoch : *epochs) {
    Require(!epoch.accuracy.empty());
  }
  return 0;
}
