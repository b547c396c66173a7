// How configs are refused.
#ifndef MRE_MODEL_NET_CONFIG_ERROR_H_
#define MRE_MODEL_NET_CONFIG_ERROR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mre {

// INVALID_ARGUMENT that names a field and what was expected of it.
template <typename... Texts>
absl::Status Expected(absl::string_view field, const Texts&... what) {
  return absl::InvalidArgumentError(
      absl::StrCat("mre.config: ", field, ": expected ", what...));
}

inline absl::Status InBounds(absl::string_view field, int64_t value,
                             int64_t largest) {
  if (value >= 1 && value <= largest) return absl::OkStatus();
  return Expected(field, "an integer in [1, ", largest, "], got ", value);
}

}  // namespace mre

#endif  // MRE_MODEL_NET_CONFIG_ERROR_H_
