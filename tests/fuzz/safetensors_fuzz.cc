// Any bytes are refused or parsed into views that lie inside them; what was
// parsed survives a round trip.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "model/io/safetensors.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span<const uint8_t>(data, size));
  const auto file = mre::ParseSafetensors(bytes);
  if (!file.ok()) {
    Require(!file.status().message().empty());
    return 0;
  }
  size_t covered = 0;
  for (const auto& [name, tensor] : file->tensors) {
    Require(tensor.elements() >= 0);
    if (tensor.bytes.empty()) continue;
    Require(tensor.bytes.data() >= bytes.data());
    Require(tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + size);
    Require(tensor.bytes.size() % tensor.elements() == 0);
    covered += tensor.bytes.size();
  }
  Require(covered <= size);
  const std::string written = mre::SerializeSafetensors(*file);
  const auto again =
      mre::ParseSafetensors(std::as_bytes(std::span<const char>(written)));
  Require(again.ok());
  Require(mre::SerializeSafetensors(*again) == written);
  return 0;
}
