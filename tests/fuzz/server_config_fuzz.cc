// Any text is refused with a reason, or is a configuration whose keys have
// values and whose models can be looked for.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "server/config_file.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckPolicy(const mre::VersionPolicy& policy) {
  using Kind = mre::VersionPolicy::Kind;
  Require(policy.latest >= 1);
  Require((policy.kind == Kind::kSpecific) == !policy.specific.empty());
  Require(std::is_sorted(policy.specific.begin(), policy.specific.end()));
  for (const int64_t version : policy.specific) Require(version >= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = mre::ParseConfigFile(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!file.ok()) {
    Require(!file.status().message().empty());
    return 0;
  }
  for (const auto& entry : file->entries) {
    Require(!entry.key.empty());
    Require(entry.is_list || entry.values.size() == 1);
    for (const auto& value : entry.values) {
      Require(std::none_of(value.text.begin(), value.text.end(),
                           absl::ascii_iscntrl));
    }
  }
  for (const auto& [name, settings] : file->models) {
    Require(mre::IsModelName(name));
    if (settings.versions.has_value()) CheckPolicy(*settings.versions);
    for (const auto& [label, version] : settings.labels) {
      Require(mre::IsVersionLabel(label) && version >= 1);
    }
  }
  return 0;
}
