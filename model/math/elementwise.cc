#include "model/math/elementwise.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "model/math/simd.h"

namespace mre {
namespace {

// Sums in eight lanes: fixed order, so fixed bits, and vectorisable.
template <typename F>
[[gnu::always_inline]] inline float SumLanes(int64_t n, F term) {
  float lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; ++j) lanes[j] += term(i + j);
  }
  for (int j = 0; i < n; ++i, ++j) lanes[j] += term(i);
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

}  // namespace

MRE_SIMD
void LayerNorm(const float* __restrict x, int64_t rows, int64_t n,
               const float* gain, const float* bias, float* __restrict y,
               float* stats) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const float mean =
        SumLanes(n, [&](int64_t i) { return x[i]; }) / static_cast<float>(n);
    const float variance =
        SumLanes(n, [&](int64_t i) { return (x[i] - mean) * (x[i] - mean); }) /
        static_cast<float>(n);
    const float inverse = 1.0f / std::sqrt(variance + kLayerNormEpsilon);
    for (int64_t i = 0; i < n; ++i) {
      y[i] = (x[i] - mean) * inverse * gain[i] + bias[i];
    }
    if (stats != nullptr) {
      stats[2 * r] = mean;
      stats[2 * r + 1] = inverse;
    }
  }
}

MRE_SIMD
void LayerNormBackward(const float* __restrict dy, const float* __restrict x,
                       const float* stats, int64_t rows, int64_t n,
                       const float* __restrict gain, float* __restrict dx,
                       float* __restrict dgain, float* __restrict dbias) {
  const float scale = 1.0f / static_cast<float>(n);
  for (int64_t r = 0; r < rows; ++r, dy += n, x += n, dx += n) {
    const float mean = stats[2 * r];
    const float inverse = stats[2 * r + 1];
    const auto normal = [&](int64_t i) { return (x[i] - mean) * inverse; };
    const float sum =
        SumLanes(n, [&](int64_t i) { return dy[i] * gain[i]; }) * scale;
    const float dot =
        SumLanes(n, [&](int64_t i) { return dy[i] * gain[i] * normal(i); }) *
        scale;
    if (dgain != nullptr) {
      for (int64_t i = 0; i < n; ++i) dgain[i] += dy[i] * normal(i);
      for (int64_t i = 0; i < n; ++i) dbias[i] += dy[i];
    }
    for (int64_t i = 0; i < n; ++i) {
      dx[i] = inverse * (dy[i] * gain[i] - sum - normal(i) * dot);
    }
  }
}

void Softmax(const float* x, int64_t n, float* p) {
  const float largest = *std::max_element(x, x + n);
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    p[i] = std::exp(x[i] - largest);
    sum += p[i];
  }
  const float inverse = 1.0f / sum;
  for (int64_t i = 0; i < n; ++i) p[i] *= inverse;
}

MRE_SIMD
void SoftmaxBackwardAdd(const float* p, const float* dp, int64_t n, float* dx) {
  const float dot = SumLanes(n, [&](int64_t i) { return p[i] * dp[i]; });
  for (int64_t i = 0; i < n; ++i) dx[i] += p[i] * (dp[i] - dot);
}

MRE_SIMD
void Relu(int64_t n, float* x) {
  for (int64_t i = 0; i < n; ++i) x[i] = std::max(x[i], 0.0f);
}

MRE_SIMD
void ReluBackward(const float* __restrict y, int64_t n, float* __restrict dy) {
  for (int64_t i = 0; i < n; ++i) dy[i] = y[i] <= 0 ? 0 : dy[i];
}

MRE_SIMD
void Add(const float* __restrict x, int64_t n, float* __restrict y) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

MRE_SIMD
void Scale(const float* __restrict x, float a, int64_t n, float* __restrict y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a * x[i];
}

MRE_SIMD
void AddScaled(const float* __restrict x, float a, int64_t n,
               float* __restrict y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

MRE_SIMD
void AddRows(const float* __restrict x, int64_t rows, int64_t n,
             float* __restrict y) {
  for (int64_t r = 0; r < rows; ++r, x += n) {
    for (int64_t i = 0; i < n; ++i) y[i] += x[i];
  }
}

MRE_SIMD
void RoundToBf16(const float* __restrict x, int64_t n, uint16_t* __restrict y) {
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(x[i]);
    const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    y[i] = static_cast<uint16_t>(nan ? (bits >> 16) | 0x40 : rounded >> 16);
  }
}

MRE_SIMD
float Dot(const float* x, const float* y, int64_t n) {
  return SumLanes(n, [&](int64_t i) { return x[i] * y[i]; });
}

}  // namespace mre
