#include "model/data/usps.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr size_t kPixels = kUspsSide * kUspsSide;
constexpr size_t kNumbers = 1 + kPixels;
constexpr size_t kMostQuoted = 20;  // bytes of the text in an error

// The next number as it is written, taken off the line; empty: no more.
absl::string_view TakeNumber(absl::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const absl::string_view text = line.substr(0, line.find(' '));
  line.remove_prefix(text.size());
  return text;
}

// NaN unless all of `text` is a decimal number.
double ToDouble(absl::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] =
      std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const bool whole = error == std::errc() && stop == end;
  return whole ? value : std::numeric_limits<double>::quiet_NaN();
}

absl::Status Expected(absl::string_view what, absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, ", got \"",
                   absl::CHexEscape(got.substr(0, kMostQuoted)), "\""));
}

absl::StatusOr<uint8_t> ParseDigit(absl::string_view text) {
  const double value = ToDouble(text);
  for (uint8_t digit = 0; digit < kUspsClasses; ++digit) {
    if (value == digit) return digit;
  }
  return Expected("a digit", text);
}

absl::StatusOr<uint8_t> ParseGrey(absl::string_view text) {
  const double value = ToDouble(text);
  // Not so for NaN.
  if (value >= -1 && value <= 1) {
    return static_cast<uint8_t>(std::lround((value + 1) * 127.5));
  }
  return Expected("a number in [-1, 1]", text);
}

absl::Status ParseLine(absl::string_view line, LabelledImages& images) {
  size_t count = 0;
  for (auto text = TakeNumber(line); !text.empty(); text = TakeNumber(line)) {
    if (count == 0) {
      ASSIGN_OR_RETURN(const uint8_t digit, ParseDigit(text));
      images.labels.push_back(digit);
    } else if (count < kNumbers) {
      ASSIGN_OR_RETURN(const uint8_t grey, ParseGrey(text));
      images.images.push_back(grey);
    }
    ++count;
  }
  if (count == kNumbers) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", kNumbers, " numbers, got ", count));
}

}  // namespace

absl::StatusOr<LabelledImages> ParseUsps(absl::string_view text) {
  if (text.empty()) {
    return absl::InvalidArgumentError("USPS: expected a record, got no text");
  }
  LabelledImages images;
  for (size_t number = 1; !text.empty(); ++number) {
    const absl::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const absl::Status status = ParseLine(line, images);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("USPS: line ", number, ": ", status.message()));
    }
  }
  return images;
}

}  // namespace mre
