// Products in f32 on one thread, made for few rows: oneDNN's calls cost as much
// as a small product does, and its kernels want more rows than an expert has.
//
// W is packed into panels of kPanel of its rows, each led by their biases. A
// tile of some rows of x and one panel stays in registers through all inputs.
#ifndef MRE_MODEL_MATH_PANELS_H_
#define MRE_MODEL_MATH_PANELS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/math/kernels.h"

namespace mre {

class Panels {
 public:
  static constexpr int64_t kPanel = 32;

  // Bits of the vector registers that this CPU has and there is code for,
  // widest first.
  static std::vector<int> Widths();

  // weight: [out,in], bias: [out]. REQUIRES: `bits` is one of Widths().
  Panels(int64_t in, int64_t out, std::span<const float> weight,
         std::span<const float> bias, int bits = Widths().front());

  // y[rows,out] = activation(x[rows,in] W^T + bias). A row's bits depend
  // neither on the other rows nor on their number. Thread-safe.
  void Apply(const float* x, int64_t rows, Activation activation,
             float* y) const;

  // The weights of one input in a panel, or its biases.
  struct alignas(64) Line {
    float weight[kPanel] = {};
  };
  struct Product;

 private:
  const int64_t in_, out_;
  void (*const run_)(const Product&);
  std::vector<Line> lines_;  // [panels, 1 + in], and what is prefetched
};

}  // namespace mre

#endif  // MRE_MODEL_MATH_PANELS_H_
