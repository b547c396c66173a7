#include "model/math/conv_ref.h"

#include <algorithm>
#include <vector>

#include "model/math/kernels_ref.h"

namespace mre::ref {
namespace {

// Calls body(x, y, w) with the offsets of each pair of positions that a filter
// element joins, in one row: x and y of their channels, w of weight[0,di,dj,0].
template <typename Body>
void ForEachTap(const ConvShape& s, Body body) {
  const MapShape to = s.to();
  const auto& [size, stride, padding] = s.patch;
  for (int64_t i = 0; i < to.height; ++i) {
    for (int64_t j = 0; j < to.width; ++j) {
      for (int64_t di = 0; di < size; ++di) {
        for (int64_t dj = 0; dj < size; ++dj) {
          const int64_t from_i = i * stride + di - padding;
          const int64_t from_j = j * stride + dj - padding;
          if (from_i < 0 || from_i >= s.from.height || from_j < 0 ||
              from_j >= s.from.width) {
            continue;
          }
          body((from_i * s.from.width + from_j) * s.from.channels,
               (i * to.width + j) * s.out, (di * size + dj) * s.from.channels);
        }
      }
    }
  }
}

// Operands as the precision has them.
std::vector<float> Rounded(const ConvShape& s, const float* values,
                           int64_t count) {
  std::vector<float> rounded(values, values + count);
  if (s.precision == Precision::kBf16) {
    for (float& value : rounded) value = RoundToBf16(value);
  }
  return rounded;
}

}  // namespace

void ConvForward(const ConvShape& s, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y) {
  const std::vector<float> w = Rounded(s, weight, s.weights());
  const std::vector<float> read = Rounded(s, x, rows * s.from.size());
  const MapShape to = s.to();
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = read.data() + r * s.from.size();
    for (int64_t p = 0; p < to.positions(); ++p) {
      std::copy(bias, bias + s.out, y + p * s.out);
    }
    ForEachTap(s, [&](int64_t at_x, int64_t at_y, int64_t at_w) {
      for (int64_t o = 0; o < s.out; ++o) {
        for (int64_t c = 0; c < s.from.channels; ++c) {
          y[at_y + o] += from[at_x + c] * w[o * s.inputs() + at_w + c];
        }
      }
    });
    y += to.size();
  }
}

void ConvBackwardData(const ConvShape& s, const float* weight, const float* dy,
                      int64_t rows, float* dx) {
  const int64_t size = s.to().size();
  const std::vector<float> w = Rounded(s, weight, s.weights());
  const std::vector<float> read = Rounded(s, dy, rows * size);
  std::fill_n(dx, rows * s.from.size(), 0.0f);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = read.data() + r * size;
    ForEachTap(s, [&](int64_t at_x, int64_t at_y, int64_t at_w) {
      for (int64_t o = 0; o < s.out; ++o) {
        for (int64_t c = 0; c < s.from.channels; ++c) {
          dx[at_x + c] += from[at_y + o] * w[o * s.inputs() + at_w + c];
        }
      }
    });
    dx += s.from.size();
  }
}

void ConvBackwardWeights(const ConvShape& s, const float* x, const float* dy,
                         int64_t rows, float* dweight, float* dbias) {
  const MapShape to = s.to();
  const std::vector<float> from = Rounded(s, x, rows * s.from.size());
  const std::vector<float> read = Rounded(s, dy, rows * to.size());
  for (int64_t r = 0; r < rows; ++r) {
    const float* x_row = from.data() + r * s.from.size();
    const float* dy_row = read.data() + r * to.size();
    for (int64_t p = 0; p < to.positions(); ++p) {
      for (int64_t o = 0; o < s.out; ++o) dbias[o] += dy_row[p * s.out + o];
    }
    ForEachTap(s, [&](int64_t at_x, int64_t at_y, int64_t at_w) {
      for (int64_t o = 0; o < s.out; ++o) {
        for (int64_t c = 0; c < s.from.channels; ++c) {
          dweight[o * s.inputs() + at_w + c] +=
              dy_row[at_y + o] * x_row[at_x + c];
        }
      }
    });
  }
}

}  // namespace mre::ref
