#include "model/math/conv_ref.h"

#include <algorithm>

namespace mre::ref {
namespace {

// Calls body(x, y, w) with the offsets of each pair of positions that a kernel
// element joins, in one row: x and y of their channels, w of weight[0,di,dj,0].
template <typename Body>
void ForEachTap(const ConvShape& s, Body body) {
  const int64_t reach = s.kernel / 2;
  for (int64_t i = 0; i < s.height; ++i) {
    for (int64_t j = 0; j < s.width; ++j) {
      for (int64_t di = 0; di < s.kernel; ++di) {
        for (int64_t dj = 0; dj < s.kernel; ++dj) {
          const int64_t from_i = i + di - reach;
          const int64_t from_j = j + dj - reach;
          if (from_i < 0 || from_i >= s.height || from_j < 0 ||
              from_j >= s.width) {
            continue;
          }
          body((from_i * s.width + from_j) * s.in, (i * s.width + j) * s.out,
               (di * s.kernel + dj) * s.in);
        }
      }
    }
  }
}

}  // namespace

void ConvForward(const ConvShape& s, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y) {
  const int64_t filter = s.kernel * s.kernel * s.in;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t p = 0; p < s.positions(); ++p) {
      std::copy(bias, bias + s.out, y + p * s.out);
    }
    ForEachTap(s, [&](int64_t at_x, int64_t at_y, int64_t at_w) {
      for (int64_t o = 0; o < s.out; ++o) {
        for (int64_t c = 0; c < s.in; ++c) {
          y[at_y + o] += x[at_x + c] * weight[o * filter + at_w + c];
        }
      }
    });
    x += s.positions() * s.in;
    y += s.positions() * s.out;
  }
}

void ConvBackwardData(const ConvShape& s, const float* weight, const float* dy,
                      int64_t rows, float* dx) {
  const int64_t filter = s.kernel * s.kernel * s.in;
  std::fill(dx, dx + rows * s.positions() * s.in, 0.0f);
  for (int64_t r = 0; r < rows; ++r) {
    ForEachTap(s, [&](int64_t at_x, int64_t at_y, int64_t at_w) {
      for (int64_t o = 0; o < s.out; ++o) {
        for (int64_t c = 0; c < s.in; ++c) {
          dx[at_x + c] += dy[at_y + o] * weight[o * filter + at_w + c];
        }
      }
    });
    dy += s.positions() * s.out;
    dx += s.positions() * s.in;
  }
}

void ConvBackwardWeights(const ConvShape& s, const float* x, const float* dy,
                         int64_t rows, float* dweight, float* dbias) {
  const int64_t filter = s.kernel * s.kernel * s.in;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t p = 0; p < s.positions(); ++p) {
      for (int64_t o = 0; o < s.out; ++o) dbias[o] += dy[p * s.out + o];
    }
    ForEachTap(s, [&](int64_t at_x, int64_t at_y, int64_t at_w) {
      for (int64_t o = 0; o < s.out; ++o) {
        for (int64_t c = 0; c < s.in; ++c) {
          dweight[o * filter + at_w + c] += dy[at_y + o] * x[at_x + c];
        }
      }
    });
    x += s.positions() * s.in;
    dy += s.positions() * s.out;
  }
}

}  // namespace mre::ref
