#include "model/math/kernels_ref.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mre::ref {

float RoundToBf16(float x) {
  if (std::isnan(x)) return x;
  uint32_t bits = std::bit_cast<uint32_t>(x);
  bits += 0x7fff + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xffff0000u);
}

void Linear(const LinearOp::Shape& shape, const float* weight,
            const float* bias, const float* x, int64_t rows, float* y) {
  const bool bf16 = shape.precision == Precision::kBf16;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < shape.out; ++o) {
      float sum = 0;
      for (int64_t i = 0; i < shape.in; ++i) {
        const float a = x[r * shape.in + i];
        const float w = weight[o * shape.in + i];
        sum += bf16 ? RoundToBf16(a) * RoundToBf16(w) : a * w;
      }
      sum += bias[o];
      if (shape.activation == Activation::kRelu) sum = std::max(sum, 0.0f);
      y[r * shape.out + o] = sum;
    }
  }
}

void Gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
          const float* a, int64_t lda, const float* b, int64_t ldb, float beta,
          float* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t l = 0; l < k; ++l) {
        sum += (transpose_a ? a[l * lda + i] : a[i * lda + l]) *
               (transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
      }
      float& out = c[i * ldc + j];
      out = beta == 0 ? sum : sum + beta * out;
    }
  }
}

}  // namespace mre::ref
