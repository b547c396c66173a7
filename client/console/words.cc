#include "client/console/words.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mre {

std::string Printable(absl::string_view text) {
  std::string out(text);
  for (size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<uint8_t>(out[i]);
    const bool control = byte < 0x20 || byte == 0x7f;
    // U+0080 to U+009F, which some terminals obey like their 7-bit forms.
    const bool c1 = byte == 0xc2 && i + 1 < out.size() &&
                    static_cast<uint8_t>(out[i + 1]) < 0xa0;
    if (control || c1) out[i] = '?';
    if (c1) out[i + 1] = '?';
  }
  return out;
}

std::string WithCommas(uint64_t value) {
  std::string digits = absl::StrCat(value);
  for (int i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<size_t>(i), 1, ',');
  }
  return digits;
}

std::string NanosText(double nanos) {
  if (nanos < 1e6) return absl::StrFormat("%.3gus", nanos * 1e-3);
  if (nanos < 1e9) return absl::StrFormat("%.3gms", nanos * 1e-6);
  return absl::StrFormat("%.2fs", nanos * 1e-9);
}

std::string ErrorText(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ": ",
                      Printable(status.message()));
}

}  // namespace mre
