#include "model/net/embedding.h"

#include <algorithm>
#include <cmath>

#include "model/math/elementwise.h"
#include "model/net/config.h"

namespace mre {

int64_t NearestByte(float value) {
  constexpr float kLargest = kVocabulary - 1;
  if (!(value > 0)) return 0;  // NaN too
  return std::lround(std::min(value, kLargest));
}

void Embed(const float* table, int64_t dimension, const float* x, int64_t count,
           float* y) {
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(table + NearestByte(x[i]) * dimension, dimension,
                y + i * dimension);
  }
}

void EmbedBackward(const float* x, const float* dy, int64_t count,
                   int64_t dimension, float* dtable) {
  for (int64_t i = 0; i < count; ++i) {
    Add(dy + i * dimension, dimension, dtable + NearestByte(x[i]) * dimension);
  }
}

}  // namespace mre
