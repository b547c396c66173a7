// Convolutions of feature maps, for training and serving.
//
// Two implementations stand behind this header, as behind kernels.h:
// conv_onednn.cc and conv_plain.cc (the loops of conv_ref.h).
#ifndef MRE_MODEL_MATH_CONV_H_
#define MRE_MODEL_MATH_CONV_H_

#include <compare>
#include <cstdint>

namespace mre {

// Maps [rows, height, width, in], row-major, to maps [rows, height, width, out]
// of the same size: stride 1, zeros around the borders, an odd kernel.
// y[r,i,j,o] = bias[o] + sum over di,dj,c of
//   x[r, i+di-k/2, j+dj-k/2, c] * weight[o,di,dj,c]
struct ConvShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t in = 0;
  int64_t out = 0;
  int64_t kernel = 3;

  int64_t positions() const { return height * width; }
  int64_t weights() const { return out * kernel * kernel * in; }
  auto operator<=>(const ConvShape&) const = default;
};

// All run on the calling thread. A row's result does not depend, bit for bit,
// on the rows beside it.
void ConvForward(const ConvShape& shape, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y);
// dx is overwritten.
void ConvBackwardData(const ConvShape& shape, const float* weight,
                      const float* dy, int64_t rows, float* dx);
// Adds to dweight and dbias.
void ConvBackwardWeights(const ConvShape& shape, const float* x,
                         const float* dy, int64_t rows, float* dweight,
                         float* dbias);

}  // namespace mre

#endif  // MRE_MODEL_MATH_CONV_H_
