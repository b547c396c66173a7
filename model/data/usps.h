// The USPS digits ("ZIP code") as text. A record a line, 257 numbers separated
// by spaces: the digit, as 6 or 6.0000, then 16x16 grey values from -1 (paper)
// to 1 (ink), row by row. A line may end with spaces.
#ifndef MRE_MODEL_DATA_USPS_H_
#define MRE_MODEL_DATA_USPS_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/data/labelled_images.h"

namespace mre {

inline constexpr size_t kUspsSide = 16;
inline constexpr size_t kUspsClasses = 10;

// The images of such a text (not compressed), 16x16x1. A grey value g becomes
// the byte round((g + 1) * 127.5): 0 for -1, 128 for 0, 255 for 1.
// INVALID_ARGUMENT naming the line, counted from 1, that is not such a record,
// or when there is none. Takes memory in proportion to `text`, whatever it
// says.
absl::StatusOr<LabelledImages> ParseUsps(absl::string_view text);

}  // namespace mre

#endif  // MRE_MODEL_DATA_USPS_H_
