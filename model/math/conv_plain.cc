// conv.h on the loops of conv_ref.h.
#include "model/math/conv.h"
#include "model/math/conv_ref.h"

namespace mre {

void ConvForward(const ConvShape& shape, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y) {
  ref::ConvForward(shape, weight, bias, x, rows, y);
}

void ConvBackwardData(const ConvShape& shape, const float* weight,
                      const float* dy, int64_t rows, float* dx) {
  ref::ConvBackwardData(shape, weight, dy, rows, dx);
}

void ConvBackwardWeights(const ConvShape& shape, const float* x,
                         const float* dy, int64_t rows, float* dweight,
                         float* dbias) {
  ref::ConvBackwardWeights(shape, x, dy, rows, dweight, dbias);
}

}  // namespace mre
