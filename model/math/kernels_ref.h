// Plain-loop twins of kernels.h: the oracle that its tests compare with, and
// the implementation of builds without oneDNN.
#ifndef MRE_MODEL_MATH_KERNELS_REF_H_
#define MRE_MODEL_MATH_KERNELS_REF_H_

#include <cstdint>

#include "model/math/kernels.h"

namespace mre::ref {

// Rounds to the nearest bfloat16, ties to even; NaN stays NaN.
float RoundToBf16(float x);

// y = activation(x W^T + bias); weight is [out,in].
void Linear(const LinearOp::Shape& shape, const float* weight,
            const float* bias, const float* x, int64_t rows, float* y);

void Gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
          const float* a, int64_t lda, const float* b, int64_t ldb, float beta,
          float* c, int64_t ldc);

}  // namespace mre::ref

#endif  // MRE_MODEL_MATH_KERNELS_REF_H_
