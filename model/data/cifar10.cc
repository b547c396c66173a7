#include "model/data/cifar10.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace mre {
namespace {

constexpr size_t kPlane = kCifar10Side * kCifar10Side;

// Three planes to pixels of three bytes.
void AppendPixels(absl::string_view planes, std::vector<uint8_t>& images) {
  for (size_t pixel = 0; pixel < kPlane; ++pixel) {
    for (size_t c = 0; c < kCifar10Channels; ++c) {
      images.push_back(static_cast<uint8_t>(planes[c * kPlane + pixel]));
    }
  }
}

}  // namespace

absl::StatusOr<LabelledImages> ParseCifar10(absl::string_view bytes) {
  const size_t count = bytes.size() / kCifar10RecordSize;
  const size_t rest = bytes.size() % kCifar10RecordSize;
  if (bytes.empty() || rest != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("CIFAR-10: expected records of ", kCifar10RecordSize,
                     " bytes, record ", count, " ends after ", rest));
  }
  LabelledImages images;
  images.images.reserve(count * (kCifar10RecordSize - 1));
  images.labels.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const absl::string_view record =
        bytes.substr(i * kCifar10RecordSize, kCifar10RecordSize);
    const auto label = static_cast<uint8_t>(record[0]);
    if (label >= kCifar10Classes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "CIFAR-10: record ", i, ", byte ", i * kCifar10RecordSize,
          ": expected a label below ", static_cast<int>(kCifar10Classes),
          ", got ", static_cast<int>(label)));
    }
    images.labels.push_back(label);
    AppendPixels(record.substr(1), images.images);
  }
  return images;
}

absl::StatusOr<std::vector<std::string>> ParseCifar10Names(
    absl::string_view text) {
  text = absl::StripTrailingAsciiWhitespace(text);
  std::vector<std::string> names;
  while (!text.empty()) {
    const absl::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const absl::string_view name = absl::StripTrailingAsciiWhitespace(line);
    if (names.size() == kCifar10Classes) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", names.size() + 1, ": expected ",
                       static_cast<int>(kCifar10Classes),
                       " names of classes, one a line, got more"));
    }
    if (name.empty() ||
        !std::all_of(name.begin(), name.end(), absl::ascii_isprint)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", names.size() + 1,
                       ": expected the name of a class in printable ASCII"));
    }
    names.emplace_back(name);
  }
  if (names.size() != kCifar10Classes) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", static_cast<int>(kCifar10Classes),
                     " names of classes, one a line, got ", names.size()));
  }
  return names;
}

}  // namespace mre
