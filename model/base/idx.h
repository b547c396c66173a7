// IDX, the format of the MNIST family's files. A big-endian header: two zero
// bytes, the element type, the number of dimensions, then each dimension as 32
// bits; then the elements, row-major.
#ifndef MRE_MODEL_BASE_IDX_H_
#define MRE_MODEL_BASE_IDX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

// Items of unsigned bytes, all of one shape.
struct Idx {
  size_t count = 0;
  // Of one item; empty for a file of labels.
  std::vector<int64_t> item_shape;
  // Elements of one item.
  size_t item_size = 0;
  // count * item_size bytes.
  std::string data;

  // The item's bytes, valid as long as this is. REQUIRES: i < count.
  absl::string_view Item(size_t i) const {
    return absl::string_view(data).substr(i * item_size, item_size);
  }
};

// INVALID_ARGUMENT when `bytes` (not compressed) are not an IDX file of
// unsigned bytes whose length is exactly what its header says. Takes no more
// memory than a copy of `bytes`, whatever they say.
absl::StatusOr<Idx> ParseIdx(absl::string_view bytes);

}  // namespace mre

#endif  // MRE_MODEL_BASE_IDX_H_
