// The stem of a model of images with conv experts: convolutions that turn
// pixels into the map that every stream starts from.
//
//   x_{i+1} = relu(W_i * x_i + b_i)   x_0: the input
//                                     stem.layers.{i}.weight [o,size,size,c]
//                                     stem.layers.{i}.bias [o]
//   h = activation(W * x_last + b)    stem.weight [d,size,size,c]
//                                     stem.bias [d]
//
// The last convolution is often one of patches: as large as its stride or a
// little larger. The others (ModelConfig::front) may be missing.
#ifndef MRE_MODEL_NET_CONV_STEM_H_
#define MRE_MODEL_NET_CONV_STEM_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/base/rng.h"
#include "model/math/conv.h"
#include "model/net/params.h"

namespace mre {

// What the convolutions turn into what, in their order; the last one's `to` is
// the map of a stream. Empty without conv experts. REQUIRES:
// Validate(config).ok().
std::vector<ConvShape> StemConvs(const ModelConfig& config);

struct ConvStem {
  struct Layer {
    ConvShape shape;
    Activation activation;
    Slot weight, bias;
  };
  // What lies between the convolutions, [rows, ...] for each but the last:
  // large, but dearer to make again.
  using Maps = std::vector<std::vector<float>>;

  // Without layers when the config has no conv experts.
  ConvStem(const ModelConfig& config, Precision precision, ParamTable& table);

  bool empty() const { return layers.empty(); }
  void Resize(int64_t rows, Maps& maps) const;

  // W ~ N(0, 2/its inputs), the last N(0, 1/its inputs); b = 0.
  void Init(std::span<float> params, Rng& rng) const;

  // x: [end-begin, inputs] and h: [end-begin, stream], written: rows `begin` to
  // `end` of the batch that `maps` is for. On the calling thread.
  void Forward(std::span<const float> params, const float* x, int64_t begin,
               int64_t end, Maps& maps, float* h) const;
  // Adds the parameters' gradients, given all rows' x and maps and dh, the
  // gradient before the last activation. In parallel.
  void Backward(std::span<const float> params, const float* x, const Maps& maps,
                const float* dh, int64_t rows, std::span<float> gradient) const;

  std::vector<Layer> layers;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_CONV_STEM_H_
