#include "model/net/params.h"

#include <utility>

namespace mre {

Slot ParamTable::Append(std::string name, std::vector<int64_t> shape,
                        ParamGroup group) {
  Slot slot{total, 1};
  for (const int64_t dim : shape) slot.size *= dim;
  specs.push_back(
      {std::move(name), std::move(shape), slot.offset, slot.size, group});
  total += slot.size;
  return slot;
}

}  // namespace mre
