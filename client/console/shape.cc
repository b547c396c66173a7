#include "client/console/shape.h"

#include "absl/strings/str_join.h"

namespace mre {

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrJoin(shape, "x");
}

bool SameShape(std::vector<int64_t> a, std::vector<int64_t> b) {
  while (!a.empty() && a.back() == 1) a.pop_back();
  while (!b.empty() && b.back() == 1) b.pop_back();
  return a == b;
}

std::optional<size_t> Elements(const std::vector<int64_t>& shape,
                               size_t limit) {
  size_t product = 1;
  for (const int64_t size : shape) {
    if (size <= 0 || static_cast<uint64_t>(size) > limit / product) {
      return std::nullopt;
    }
    product *= static_cast<size_t>(size);
  }
  return product;
}

}  // namespace mre
