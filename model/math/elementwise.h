// Row-wise functions between the matrix products. Each treats every row by
// itself, so a row's bits never depend on its neighbours. Arrays must not
// overlap unless said otherwise.
#ifndef MRE_MODEL_MATH_ELEMENTWISE_H_
#define MRE_MODEL_MATH_ELEMENTWISE_H_

#include <cstdint>

namespace mre {

inline constexpr float kLayerNormEpsilon = 1e-5f;

// y = (x - mean) / sqrt(variance + 1e-5) * gain + bias of each of `rows` rows
// of `n`. Stores mean and 1/sqrt(...) of row r in stats[2r], stats[2r+1] when
// `stats` is not null.
void LayerNorm(const float* x, int64_t rows, int64_t n, const float* gain,
               const float* bias, float* y, float* stats);

// Given dy and what LayerNorm stored: dx (overwritten), and dgain,
// dbias [n] (added to; null: skipped).
void LayerNormBackward(const float* dy, const float* x, const float* stats,
                       int64_t rows, int64_t n, const float* gain, float* dx,
                       float* dgain, float* dbias);

// p = exp(x - max) / sum over one row of `n`; x and p may be the same.
void Softmax(const float* x, int64_t n, float* p);

// dx = p * (dp - <p, dp>) over one row; dx is added to.
void SoftmaxBackwardAdd(const float* p, const float* dp, int64_t n, float* dx);

// x = max(x, 0).
void Relu(int64_t n, float* x);

// dy = 0 where y, the output of a Relu, is 0.
void ReluBackward(const float* y, int64_t n, float* dy);

// y += x.
void Add(const float* x, int64_t n, float* y);

// y = a * x.
void Scale(const float* x, float a, int64_t n, float* y);

// y += a * x.
void AddScaled(const float* x, float a, int64_t n, float* y);

// y += each of `rows` rows of n of x, in their order.
void AddRows(const float* x, int64_t rows, int64_t n, float* y);

// y = the upper halves of x, rounded to the nearest bfloat16, ties to even; NaN
// stays NaN.
void RoundToBf16(const float* x, int64_t n, uint16_t* y);

// y = the sum of a[j] times row j of x [rows,n] over all j with use[j] = 1
// (else it is 0), in their order. REQUIRES: all are finite.
void SumScaledRows(const float* x, const float* a, const uint8_t* use,
                   int64_t rows, int64_t n, float* y);

// Where the largest of x is, the first of equal ones; NaN and -infinity never
// are. -1: nowhere.
int64_t FirstLargest(const float* x, int64_t n);

// The softmax of each of `rows` rows of n, in place, for predictions: within
// 4e-7 of it, and each number within 1e-6 of itself down to e^-87 of the
// largest, below which none is. Several times as fast as Softmax, whose bits
// are the trainer's.
void SoftmaxRows(int64_t rows, int64_t n, float* x);

float Dot(const float* x, const float* y, int64_t n);

}  // namespace mre

#endif  // MRE_MODEL_MATH_ELEMENTWISE_H_
