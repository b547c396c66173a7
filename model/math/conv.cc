#include "model/math/conv.h"

namespace mre {

MapShape MapOfPatches(const MapShape& map, const PatchConfig& patch,
                      int64_t channels) {
  const auto side = [&](int64_t length) {
    return (length + 2 * patch.padding - patch.size) / patch.stride + 1;
  };
  return {side(map.height), side(map.width), channels};
}

}  // namespace mre
