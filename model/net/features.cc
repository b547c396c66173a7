#include "model/net/features.h"

#include <algorithm>
#include <vector>

#include "model/math/elementwise.h"

namespace mre {
namespace {

constexpr int64_t kWindows = 3;  // a side

}  // namespace

Features::Features(const ModelConfig& config)
    : conv(config.expert == ExpertKind::kConv),
      height(config.map_height()),
      map_width(config.map_width()),
      width(config.width) {}

template <typename Body>
void Features::ForEach(Body body) const {
  const auto window = [&](int64_t index, int64_t top, int64_t bottom,
                          int64_t left, int64_t right) {
    const float weight =
        1.0f / static_cast<float>((bottom - top) * (right - left));
    for (int64_t i = top; i < bottom; ++i) {
      for (int64_t j = left; j < right; ++j) {
        body(index, i * map_width + j, weight);
      }
    }
  };
  window(0, 0, height, 0, map_width);
  for (int64_t a = 0; a < kWindows; ++a) {
    for (int64_t b = 0; b < kWindows; ++b) {
      window(1 + a * kWindows + b, a * height / kWindows,
             ((a + 1) * height + kWindows - 1) / kWindows,
             b * map_width / kWindows,
             ((b + 1) * map_width + kWindows - 1) / kWindows);
    }
  }
}

void Features::Pool(const float* stream, float* pooled) const {
  std::fill(pooled, pooled + size(), 0.0f);
  ForEach([&](int64_t window, int64_t position, float weight) {
    AddScaled(stream + position * width, weight, width,
              pooled + window * width);
  });
}

void Features::Forward(const float* stream, float* f, float* stats) const {
  std::vector<float> pooled(size());
  Pool(stream, pooled.data());
  const std::vector<float> ones(size(), 1.0f);
  const std::vector<float> zeros(size(), 0.0f);
  LayerNorm(pooled.data(), 1, size(), ones.data(), zeros.data(), f, stats);
}

void Features::Backward(const float* df, const float* stream,
                        const float* stats, float* dstream) const {
  std::vector<float> pooled(size());
  std::vector<float> dpooled(size());
  Pool(stream, pooled.data());
  const std::vector<float> ones(size(), 1.0f);
  LayerNormBackward(df, pooled.data(), stats, 1, size(), ones.data(),
                    dpooled.data(), nullptr, nullptr);
  ForEach([&](int64_t window, int64_t position, float weight) {
    AddScaled(dpooled.data() + window * width, weight, width,
              dstream + position * width);
  });
}

}  // namespace mre
