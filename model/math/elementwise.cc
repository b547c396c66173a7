#include "model/math/elementwise.h"

#include <algorithm>
#include <cmath>

namespace mre {
namespace {

// Sums in eight lanes: fixed order, so fixed bits, and vectorisable.
template <typename F>
float SumLanes(int64_t n, F term) {
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

void LayerNorm(const float* x, int64_t n, const float* gain, const float* bias,
               float* y, float* stats) {
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
    stats[0] = mean;
    stats[1] = inverse;
  }
}

void LayerNormBackward(const float* dy, const float* x, const float* stats,
                       int64_t n, const float* gain, float* dx, float* dgain,
                       float* dbias) {
  const float mean = stats[0];
  const float inverse = stats[1];
  const auto normal = [&](int64_t i) { return (x[i] - mean) * inverse; };
  const float scale = 1.0f / static_cast<float>(n);
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

void SoftmaxBackwardAdd(const float* p, const float* dp, int64_t n, float* dx) {
  const float dot = Dot(p, dp, n);
  for (int64_t i = 0; i < n; ++i) dx[i] += p[i] * (dp[i] - dot);
}

void Add(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

void AddScaled(const float* x, float a, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

float Dot(const float* x, const float* y, int64_t n) {
  return SumLanes(n, [&](int64_t i) { return x[i] * y[i]; });
}

}  // namespace mre
