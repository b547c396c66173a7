// Plain-loop twins of conv.h: the oracle that its tests compare with, and the
// implementation of builds without oneDNN.
#ifndef MRE_MODEL_MATH_CONV_REF_H_
#define MRE_MODEL_MATH_CONV_REF_H_

#include <cstdint>

#include "model/math/conv.h"

namespace mre::ref {

void ConvForward(const ConvShape& shape, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y);
void ConvBackwardData(const ConvShape& shape, const float* weight,
                      const float* dy, int64_t rows, float* dx);
void ConvBackwardWeights(const ConvShape& shape, const float* x,
                         const float* dy, int64_t rows, float* dweight,
                         float* dbias);

}  // namespace mre::ref

#endif  // MRE_MODEL_MATH_CONV_REF_H_
