// Convolutions of feature maps, for training and serving.
//
// Two implementations stand behind this header, as behind kernels.h:
// conv_onednn.cc and conv_plain.cc (the loops of conv_ref.h).
#ifndef MRE_MODEL_MATH_CONV_H_
#define MRE_MODEL_MATH_CONV_H_

#include <compare>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "model/math/kernels.h"

namespace mre {

// A map of pixels or features, [height, width, channels] row-major.
struct MapShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;

  int64_t positions() const { return height * width; }
  int64_t size() const { return height * width * channels; }
  auto operator<=>(const MapShape&) const = default;
};

// Squares of size x size, `stride` apart, after a border of `padding` zeros.
// Convolutions REQUIRE padding < size.
struct PatchConfig {
  int64_t size = 8;
  int64_t stride = 4;
  int64_t padding = 2;

  auto operator<=>(const PatchConfig&) const = default;
};

// What a map's patches turn into, with `channels` for each. REQUIRES: a patch
// is no larger than the padded map.
MapShape MapOfPatches(const MapShape& map, const PatchConfig& patch,
                      int64_t channels);

// Maps `from` to maps `to()`:
// y[r,i,j,o] = bias[o] + sum over di,dj,c of
//   x[r, i*stride+di-padding, j*stride+dj-padding, c] * weight[o,di,dj,c]
struct ConvShape {
  MapShape from;
  PatchConfig patch;
  int64_t out = 0;  // channels
  Precision precision = Precision::kF32;

  MapShape to() const { return MapOfPatches(from, patch, out); }
  // Elements that one output reads; zeros of the border are counted.
  int64_t inputs() const { return patch.size * patch.size * from.channels; }
  int64_t weights() const { return out * inputs(); }
  int64_t macs() const { return to().positions() * weights(); }
  auto operator<=>(const ConvShape&) const = default;
};

// For training: weights change between calls. All run on the calling thread.
// In bf16, x, dy and the weights are rounded; sums and results are f32.
// REQUIRES: shape.precision is f32, or CpuHasBf16().
void ConvForward(const ConvShape& shape, const float* weight, const float* bias,
                 const float* x, int64_t rows, float* y);
// dx is overwritten.
void ConvBackwardData(const ConvShape& shape, const float* weight,
                      const float* dy, int64_t rows, float* dx);
// Adds to dweight and dbias.
void ConvBackwardWeights(const ConvShape& shape, const float* x,
                         const float* dy, int64_t rows, float* dweight,
                         float* dbias);

// For serving: a convolution whose weights are brought into the CPU's layout
// once. A row's result does not depend, bit for bit, on the rows beside it.
// Movable; thread-safe.
class PackedConv {
 public:
  // UNIMPLEMENTED when the CPU cannot run the shape's precision;
  // RESOURCE_EXHAUSTED when there is no memory for it. REQUIRES:
  // weight.size() == shape.weights(), bias.size() == shape.out.
  static absl::StatusOr<PackedConv> Create(const ConvShape& shape,
                                           Activation activation,
                                           std::span<const float> weight,
                                           std::span<const float> bias);
  PackedConv(PackedConv&&) noexcept;
  PackedConv& operator=(PackedConv&&) noexcept;
  ~PackedConv();

  // y = activation(conv(x)); x: `rows` maps `from`, y: maps `to()`. In
  // parallel. Should it fail, the program ends, as when any small allocation
  // fails.
  void Apply(const float* x, int64_t rows, float* y) const;

  const ConvShape& shape() const { return shape_; }

 private:
  struct Rep;
  PackedConv(const ConvShape& shape, Activation activation,
             std::unique_ptr<Rep> rep);
  void ApplyOnOneThread(const float* x, int64_t rows, float* y) const;

  ConvShape shape_;
  Activation activation_;
  std::unique_ptr<Rep> rep_;
};

}  // namespace mre

#endif  // MRE_MODEL_MATH_CONV_H_
