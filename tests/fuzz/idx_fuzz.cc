// Any bytes are refused or hold exactly what their header says.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "model/base/gzip.h"
#include "model/base/idx.h"

namespace {

constexpr size_t kMostUnpacked = 1 << 16;

void Require(bool holds) {
  if (!holds) std::abort();
}

void Parse(absl::string_view bytes) {
  const auto idx = mre::ParseIdx(bytes);
  if (!idx.ok()) {
    Require(!idx.status().message().empty());
    return;
  }
  Require(idx->data.size() == idx->count * idx->item_size);
  Require(idx->data.size() <= bytes.size());
  for (size_t i = 0; i < idx->count; ++i) {
    Require(idx->Item(i).size() == idx->item_size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (mre::IsGzip(bytes)) {
    const auto content = mre::Gunzip(bytes, kMostUnpacked);
    if (!content.ok()) return 0;
    Require(content->size() <= kMostUnpacked);
    Parse(*content);
  } else {
    Parse(bytes);
  }
  return 0;
}
