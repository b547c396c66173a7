#include "model/math/elementwise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "model/math/simd.h"

namespace mre {
namespace {

// Eight numbers side by side, and how a term reads them or one. Spelled out:
// left to itself the compiler adds lanes one by one.
using Lanes [[gnu::vector_size(32)]] = float;
constexpr int64_t kLanes = 8;
struct EightAt {
  int64_t i;
  Lanes operator()(const float* x) const {
    Lanes lanes;
    std::memcpy(&lanes, x + i, sizeof(lanes));
    return lanes;
  }
};
struct OneAt {
  int64_t i;
  float operator()(const float* x) const { return x[i]; }
};

template <typename Eight>
float Total(const Eight& lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

// Sums term(at) over all i < n in eight lanes: fixed order, so fixed bits.
template <typename F>
float SumLanes(int64_t n, F term) {
  Lanes lanes = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) lanes += term(EightAt{i});
  if (i == n) return Total(lanes);
  float sums[kLanes];  // Lanes that are indexed would not stay in a register.
  std::memcpy(sums, &lanes, sizeof(sums));
  for (float* sum = sums; i < n; ++i) *sum++ += term(OneAt{i});
  return Total(sums);
}

// e^x of x <= 0, from -87 on: 2^k e^r with |r| <= log(2)/2 by the polynomial of
// Cephes' expf (S. Moshier).
float ExpNotAboveZero(float x) {
  constexpr float kRound = 0x1.8p23f;  // adding it rounds to a whole number
  x = std::max(x, -87.0f);
  const float shifted = x * 1.44269504f + kRound;
  const float k = shifted - kRound;
  const float r = x - k * 0.693359375f + k * 2.12194440e-4f;
  float sum = 1.9875691500e-4f;
  sum = sum * r + 1.3981999507e-3f;
  sum = sum * r + 8.3334519073e-3f;
  sum = sum * r + 4.1665795894e-2f;
  sum = sum * r + 1.6666665459e-1f;
  sum = sum * r + 5.0000001201e-1f;
  sum = sum * (r * r) + r + 1.0f;
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) + 127;
  return sum * std::bit_cast<float>(exponent << 23);
}

}  // namespace

MRE_SIMD
void LayerNorm(const float* __restrict x, int64_t rows, int64_t n,
               const float* gain, const float* bias, float* __restrict y,
               float* stats) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const float mean =
        SumLanes(n, [&](auto at) { return at(x); }) / static_cast<float>(n);
    const float variance =
        SumLanes(n, [&](auto at) { return (at(x) - mean) * (at(x) - mean); }) /
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
    const auto normal = [&](auto at) { return (at(x) - mean) * inverse; };
    const float sum =
        SumLanes(n, [&](auto at) { return at(dy) * at(gain); }) * scale;
    const float dot =
        SumLanes(n, [&](auto at) { return at(dy) * at(gain) * normal(at); }) *
        scale;
    if (dgain != nullptr) {
      for (int64_t i = 0; i < n; ++i) dgain[i] += dy[i] * normal(OneAt{i});
      for (int64_t i = 0; i < n; ++i) dbias[i] += dy[i];
    }
    for (int64_t i = 0; i < n; ++i) {
      dx[i] = inverse * (dy[i] * gain[i] - sum - normal(OneAt{i}) * dot);
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
  const float dot = SumLanes(n, [&](auto at) { return at(p) * at(dp); });
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
void SumScaledRows(const float* __restrict x, const float* a,
                   const uint8_t* use, int64_t rows, int64_t n,
                   float* __restrict y) {
  const auto sum_into = [&](auto sum, auto at) {
    for (int64_t j = 0; j < rows; ++j) {
      sum += a[j] * static_cast<float>(use[j]) * at(x + j * n);
    }
    std::memcpy(y + at.i, &sum, sizeof(sum));
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum_into(Lanes{}, EightAt{i});
  for (; i < n; ++i) sum_into(0.0f, OneAt{i});
}

MRE_SIMD
int64_t FirstLargest(const float* x, int64_t n) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  Lanes lanes = Lanes{} + kNone;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Lanes here = EightAt{i}(x);
    lanes = here > lanes ? here : lanes;
  }
  float largest = std::max(
      std::max(std::max(lanes[0], lanes[4]), std::max(lanes[1], lanes[5])),
      std::max(std::max(lanes[2], lanes[6]), std::max(lanes[3], lanes[7])));
  for (; i < n; ++i) largest = std::max(largest, x[i]);
  if (largest == kNone) return -1;
  return std::find(x, x + n, largest) - x;
}

MRE_SIMD
void SoftmaxRows(int64_t rows, int64_t n, float* x) {
  for (int64_t r = 0; r < rows; ++r) {
    float* row = x + r * n;
    float largest = row[0];
    for (int64_t i = 1; i < n; ++i) largest = std::max(largest, row[i]);
    for (int64_t i = 0; i < n; ++i) row[i] -= largest;
  }
  for (int64_t i = 0; i < rows * n; ++i) x[i] = ExpNotAboveZero(x[i]);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = x + r * n;
    float sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += row[i];
    const float inverse = 1.0f / sum;
    for (int64_t i = 0; i < n; ++i) row[i] *= inverse;
  }
}

MRE_SIMD
float Dot(const float* x, const float* y, int64_t n) {
  return SumLanes(n, [&](auto at) { return at(x) * at(y); });
}

}  // namespace mre
