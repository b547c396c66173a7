// Products over the rows of a batch, cut into blocks that do not depend on the
// thread count, so neither do the results.
#ifndef MRE_MODEL_NET_BATCH_OPS_H_
#define MRE_MODEL_NET_BATCH_OPS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "model/math/elementwise.h"
#include "model/math/kernels.h"
#include "model/math/parallel.h"

namespace mre {

inline constexpr int64_t kRowBlock = 64;

inline int64_t RowBlocks(int64_t rows) {
  return (rows + kRowBlock - 1) / kRowBlock;
}

// Calls body(block, begin, end) for each block of rows, in parallel.
inline void ForRowBlocks(
    int64_t rows, const std::function<void(int64_t, int64_t, int64_t)>& body) {
  ParallelFor(RowBlocks(rows), [&](int64_t block) {
    const int64_t begin = block * kRowBlock;
    body(block, begin, std::min(begin + kRowBlock, rows));
  });
}

// y[rows,out] = x[rows,in] W^T + bias, on the calling thread.
inline void LinearRows(const float* weight, const float* bias, const float* x,
                       int64_t rows, int64_t in, int64_t out, float* y) {
  for (int64_t i = 0; i < rows; ++i) std::copy(bias, bias + out, y + i * out);
  Gemm(false, true, rows, out, in, x, in, weight, in, 1, y, out);
}

// dbias[out] += column sums of dy[rows,out].
inline void BiasBackward(const float* dy, int64_t rows, int64_t out,
                         float* dbias) {
  AddRows(dy, rows, out, dbias);
}

// dW[out,in] += dy[rows,out]^T x[rows,in], dbias[out] likewise, in parallel
// over blocks of W's rows.
inline void LinearWeightBackward(const float* dy, const float* x, int64_t rows,
                                 int64_t in, int64_t out, float* dweight,
                                 float* dbias) {
  constexpr int64_t kBlock = 16;
  ParallelFor((out + kBlock - 1) / kBlock, [&](int64_t block) {
    const int64_t begin = block * kBlock;
    const int64_t size = std::min(kBlock, out - begin);
    Gemm(true, false, size, in, rows, dy + begin, out, x, in, 1,
         dweight + begin * in, in);
    for (int64_t i = 0; i < rows; ++i) {
      Add(dy + i * out + begin, size, dbias + begin);
    }
  });
}

}  // namespace mre

#endif  // MRE_MODEL_NET_BATCH_OPS_H_
