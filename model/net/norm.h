// LayerNorm with a learned gain and bias, as a part of a model. On a map every
// position is normalised over its channels.
#ifndef MRE_MODEL_NET_NORM_H_
#define MRE_MODEL_NET_NORM_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/math/elementwise.h"
#include "model/net/initial.h"
#include "model/net/params.h"

namespace mre {

struct Norm {
  // {name}.weight [d], {name}.bias [d].
  Norm(const ModelConfig& config, const std::string& name, ParamTable& table)
      : width(config.width),
        positions(config.positions()),
        weight(table.Append(absl::StrCat(name, ".weight"), {width},
                            ParamGroup::kVector)),
        bias(table.Append(absl::StrCat(name, ".bias"), {width},
                          ParamGroup::kVector)) {}

  void Init(std::span<float> params) const { FillOnes(weight, params); }

  // One stream; stats: [stats_size()].
  void Forward(std::span<const float> params, const float* x, float* y,
               float* stats) const {
    LayerNorm(x, positions, width, weight.in(params), bias.in(params), y,
              stats);
  }
  // One stream; dx is overwritten, dpartial [2d] (gain, then bias) added to.
  void Backward(std::span<const float> params, const float* dy, const float* x,
                const float* stats, float* dx, float* dpartial) const {
    LayerNormBackward(dy, x, stats, positions, width, weight.in(params), dx,
                      dpartial, dpartial + width);
  }
  // Adds such a partial gradient to the whole.
  void Collect(const float* dpartial, std::span<float> gradient) const {
    Add(dpartial, width, weight.in(gradient));
    Add(dpartial + width, width, bias.in(gradient));
  }
  int64_t partial_size() const { return 2 * width; }
  int64_t stats_size() const { return 2 * positions; }

  const int64_t width;
  const int64_t positions;
  const Slot weight, bias;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_NORM_H_
