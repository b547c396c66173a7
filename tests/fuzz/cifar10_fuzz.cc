// Any bytes are refused or are exactly the images and labels that come of them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "model/data/cifar10.h"

namespace {

constexpr size_t kPlane = mre::kCifar10Side * mre::kCifar10Side;
constexpr size_t kImage = mre::kCifar10Channels * kPlane;

void Require(bool holds) {
  if (!holds) std::abort();
}

void ParseRecords(absl::string_view bytes) {
  const auto images = mre::ParseCifar10(bytes);
  if (!images.ok()) {
    Require(!images.status().message().empty());
    return;
  }
  const size_t count = images->labels.size();
  Require(count > 0 && bytes.size() == count * mre::kCifar10RecordSize);
  Require(images->images.size() == count * kImage);
  for (size_t i = 0; i < count; ++i) {
    const absl::string_view record = bytes.substr(i * (1 + kImage), 1 + kImage);
    Require(images->labels[i] < mre::kCifar10Classes);
    Require(images->labels[i] == static_cast<uint8_t>(record[0]));
    for (size_t at = 0; at < kImage; ++at) {
      const size_t channel = at % mre::kCifar10Channels;
      const size_t pixel = at / mre::kCifar10Channels;
      Require(images->images[i * kImage + at] ==
              static_cast<uint8_t>(record[1 + channel * kPlane + pixel]));
    }
  }
}

void ParseNames(absl::string_view bytes) {
  const auto names = mre::ParseCifar10Names(bytes);
  if (!names.ok()) {
    Require(!names.status().message().empty());
    return;
  }
  Require(names->size() == mre::kCifar10Classes);
  for (const auto& name : *names) {
    Require(!name.empty() && name.size() < bytes.size());
    Require(bytes.find(name) != absl::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  ParseRecords(bytes);
  ParseNames(bytes);
  return 0;
}
