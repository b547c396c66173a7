// Any text is refused or means records that read back the same when written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "model/data/usps.h"

namespace {

constexpr size_t kImage = mre::kUspsSide * mre::kUspsSide;
// The shortest record: every number one byte, and a space between two.
constexpr size_t kShortest = 2 * kImage + 1;

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Format(const mre::LabelledImages& images) {
  std::string text;
  for (size_t i = 0; i < images.labels.size(); ++i) {
    absl::StrAppend(&text, static_cast<int>(images.labels[i]));
    for (size_t at = 0; at < kImage; ++at) {
      absl::StrAppendFormat(&text, " %.3f",
                            images.images[i * kImage + at] / 127.5 - 1);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto images = mre::ParseUsps(text);
  if (!images.ok()) {
    Require(!images.status().message().empty());
    Require(images.status().message().size() < 200);
    return 0;
  }
  const size_t count = images->labels.size();
  Require(count > 0 && count * kShortest <= size);
  Require(images->images.size() == count * kImage);
  for (const uint8_t label : images->labels) {
    Require(label < mre::kUspsClasses);
  }
  const auto again = mre::ParseUsps(Format(*images));
  Require(again.ok());
  Require(again->labels == images->labels);
  Require(again->images == images->images);
  return 0;
}
