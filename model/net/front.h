// Convolutions between the input and the stem's patches, each followed by a
// relu: what turns pixels into features once a row, before the first expert.
//
//   x_{i+1} = relu(W_i patches_i(x_i) + b_i)     x_0: the input
//   stem.layers.{i}.weight [channels,size,size,channels before]
//   stem.layers.{i}.bias [channels]
#ifndef MRE_MODEL_NET_FRONT_H_
#define MRE_MODEL_NET_FRONT_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/base/rng.h"
#include "model/net/params.h"

namespace mre {

// What one layer turns into what.
struct FrontMap {
  MapShape from, to;
  PatchConfig patch;

  int64_t in() const { return PatchElements(from, patch); }
  int64_t macs() const { return to.size() * in(); }
};

// REQUIRES: Validate(config).ok().
std::vector<FrontMap> FrontMaps(const ModelConfig& config);

struct Front {
  struct Layer {
    FrontMap map;
    Slot weight, bias;
  };

  Front(const ModelConfig& config, ParamTable& table);

  bool empty() const { return layers.empty(); }
  // Floats of what it makes of one row; 0 when empty.
  int64_t out() const { return empty() ? 0 : layers.back().map.to.size(); }

  // W ~ N(0, 2/its inputs), b = 0.
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows,inputs]; y: [rows,out], written. On the calling thread.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               float* y) const;
  // Adds the parameters' gradients, given dy. Computes once more what lies
  // between x and y, which is large. In parallel.
  void Backward(std::span<const float> params, const float* x, int64_t rows,
                const float* dy, std::span<float> gradient) const;

  std::vector<Layer> layers;

 private:
  struct Pass;
  void BackwardRows(std::span<const float> params, const float* x, int64_t rows,
                    const float* dy, Pass& pass,
                    std::span<float> gradient) const;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_FRONT_H_
