#include "server/service/trace_context.h"

#include <algorithm>

namespace mre {
namespace {

// Of version 00: 00-<32 digits>-<16 digits>-<2 digits>.
constexpr size_t kLength = 55;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f');
  });
}

bool IsZero(absl::string_view text) {
  return text.find_first_not_of('0') == absl::string_view::npos;
}

}  // namespace

std::optional<TraceParent> ParseTraceParent(absl::string_view header) {
  if (header.size() < kLength) return std::nullopt;
  const absl::string_view version = header.substr(0, 2);
  const absl::string_view flags = header.substr(53, 2);
  const TraceParent parent = {header.substr(3, 32), header.substr(36, 16)};
  if (header[2] != '-' || header[35] != '-' || header[52] != '-') {
    return std::nullopt;
  }
  if (!IsHex(version) || !IsHex(parent.trace_id) || !IsHex(parent.parent_id) ||
      !IsHex(flags) || version == "ff") {
    return std::nullopt;
  }
  if (IsZero(parent.trace_id) || IsZero(parent.parent_id)) return std::nullopt;
  if (header.size() > kLength && (version == "00" || header[kLength] != '-')) {
    return std::nullopt;
  }
  return parent;
}

}  // namespace mre
