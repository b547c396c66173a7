// Squares of a map of pixels or features, side by side in memory, so that a
// convolution becomes a matrix product; and back.
#ifndef MRE_MODEL_NET_PATCHES_H_
#define MRE_MODEL_NET_PATCHES_H_

#include <cstdint>

namespace mre {

// Squares of size x size, `stride` apart, after a border of `padding` zeros.
struct PatchConfig {
  int64_t size = 8;
  int64_t stride = 4;
  int64_t padding = 2;
};

struct MapShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;

  int64_t positions() const { return height * width; }
  int64_t size() const { return height * width * channels; }
};

// What a map's patches turn into, with `channels` for each. REQUIRES: a patch
// is no larger than the padded map.
MapShape MapOfPatches(const MapShape& map, const PatchConfig& patch,
                      int64_t channels);

// Elements of one patch.
inline int64_t PatchElements(const MapShape& map, const PatchConfig& patch) {
  return patch.size * patch.size * map.channels;
}

// x [rows] maps to patches [rows,positions,size,size,channels].
void GatherPatches(const MapShape& map, const PatchConfig& patch,
                   const float* x, int64_t rows, float* patches);

// The gradient of GatherPatches: dx, overwritten, is the sum of what became of
// each element.
void ScatterPatches(const MapShape& map, const PatchConfig& patch,
                    const float* patches, int64_t rows, float* dx);

}  // namespace mre

#endif  // MRE_MODEL_NET_PATCHES_H_
