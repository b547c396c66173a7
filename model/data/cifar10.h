// The binary version of CIFAR-10. A file is records of 3,073 bytes: the label,
// 0 to 9, then 1,024 bytes of red, 1,024 of green and 1,024 of blue, each 32x32
// row by row.
#ifndef MRE_MODEL_DATA_CIFAR10_H_
#define MRE_MODEL_DATA_CIFAR10_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/data/labelled_images.h"

namespace mre {

inline constexpr size_t kCifar10Side = 32;
inline constexpr size_t kCifar10Channels = 3;
inline constexpr uint8_t kCifar10Classes = 10;
inline constexpr size_t kCifar10RecordSize =
    1 + kCifar10Channels * kCifar10Side * kCifar10Side;

// The images of a file of any number of records, 32x32x3: a pixel's red, green
// and blue together. INVALID_ARGUMENT naming the record when `bytes` are empty,
// end within a record or hold a label above 9. Takes no more memory than a copy
// of `bytes`.
absl::StatusOr<LabelledImages> ParseCifar10(absl::string_view bytes);

// The names of the classes in batches.meta.txt, one a line in the order of
// labels; blank lines may follow. INVALID_ARGUMENT, naming the line, unless
// they are ten of printable ASCII.
absl::StatusOr<std::vector<std::string>> ParseCifar10Names(
    absl::string_view text);

}  // namespace mre

#endif  // MRE_MODEL_DATA_CIFAR10_H_
