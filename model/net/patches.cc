#include "model/net/patches.h"

#include <algorithm>

#include "model/math/elementwise.h"

namespace mre {
namespace {

// Calls body(element, offset, count) for each run of `count` floats of a row of
// a patch that lies within one map, `offset` floats into it; `element` counts
// the floats of the patches. Those outside have none.
template <typename Body>
void ForEachRun(const MapShape& map, const PatchConfig& patch, Body body) {
  const MapShape out = MapOfPatches(map, patch, 1);
  const int64_t row = patch.size * map.channels;
  int64_t element = 0;
  for (int64_t p = 0; p < out.positions(); ++p) {
    const int64_t top = p / out.width * patch.stride - patch.padding;
    const int64_t left = p % out.width * patch.stride - patch.padding;
    const int64_t from = std::max(left, int64_t{0});
    const int64_t to = std::min(left + patch.size, map.width);
    for (int64_t i = top; i < top + patch.size; ++i, element += row) {
      if (i < 0 || i >= map.height || from >= to) continue;
      body(element + (from - left) * map.channels,
           (i * map.width + from) * map.channels, (to - from) * map.channels);
    }
  }
}

}  // namespace

MapShape MapOfPatches(const MapShape& map, const PatchConfig& patch,
                      int64_t channels) {
  const auto side = [&](int64_t length) {
    return (length + 2 * patch.padding - patch.size) / patch.stride + 1;
  };
  return {side(map.height), side(map.width), channels};
}

void GatherPatches(const MapShape& map, const PatchConfig& patch,
                   const float* x, int64_t rows, float* patches) {
  const int64_t size =
      MapOfPatches(map, patch, 1).positions() * PatchElements(map, patch);
  if (patch.padding > 0) std::fill_n(patches, rows * size, 0.0f);
  for (int64_t r = 0; r < rows; ++r, x += map.size(), patches += size) {
    ForEachRun(map, patch, [&](int64_t element, int64_t offset, int64_t count) {
      std::copy_n(x + offset, count, patches + element);
    });
  }
}

void ScatterPatches(const MapShape& map, const PatchConfig& patch,
                    const float* patches, int64_t rows, float* dx) {
  const int64_t size =
      MapOfPatches(map, patch, 1).positions() * PatchElements(map, patch);
  std::fill_n(dx, rows * map.size(), 0.0f);
  for (int64_t r = 0; r < rows; ++r, dx += map.size(), patches += size) {
    ForEachRun(map, patch, [&](int64_t element, int64_t offset, int64_t count) {
      Add(patches + element, count, dx + offset);
    });
  }
}

}  // namespace mre
