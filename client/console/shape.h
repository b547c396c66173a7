// Shapes of inputs: what a model takes, what a file holds.
#ifndef MRE_CLIENT_CONSOLE_SHAPE_H_
#define MRE_CLIENT_CONSOLE_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mre {

// "28x28x1".
std::string ShapeText(const std::vector<int64_t>& shape);

// Whether both hold the same values: a last dimension of 1 says nothing.
bool SameShape(std::vector<int64_t> a, std::vector<int64_t> b);

// The number of values of `shape`; nullopt when it is more than `limit`, or a
// dimension is below 1.
std::optional<size_t> Elements(const std::vector<int64_t>& shape, size_t limit);

// Of an unpacked IDX file: well above any data set of this format.
inline constexpr size_t kMaxIdxBytes = size_t{4} << 30;

}  // namespace mre

#endif  // MRE_CLIENT_CONSOLE_SHAPE_H_
