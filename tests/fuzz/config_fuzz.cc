// Any text is refused or makes a valid config, whose text means the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "model/net/config.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config = mre::ParseConfig(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!config.ok()) {
    Require(!config.status().message().empty());
    return 0;
  }
  Require(mre::Validate(*config).ok());
  const std::string text = mre::FormatConfig(*config);
  const auto again = mre::ParseConfig(text);
  Require(again.ok());
  Require(mre::FormatConfig(*again) == text);
  return 0;
}
