// LayerNorm with a learned gain and bias, as a part of a model.
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
        weight(table.Append(absl::StrCat(name, ".weight"), {width},
                            ParamGroup::kVector)),
        bias(table.Append(absl::StrCat(name, ".bias"), {width},
                          ParamGroup::kVector)) {}

  void Init(std::span<float> params) const { FillOnes(weight, params); }

  // One row; stats: [2].
  void Forward(std::span<const float> params, const float* x, float* y,
               float* stats) const {
    LayerNorm(x, width, weight.in(params), bias.in(params), y, stats);
  }
  // One row; dx is overwritten, dpartial [2d] (gain, then bias) added to.
  void Backward(std::span<const float> params, const float* dy, const float* x,
                const float* stats, float* dx, float* dpartial) const {
    LayerNormBackward(dy, x, stats, width, weight.in(params), dx, dpartial,
                      dpartial + width);
  }
  // Adds such a partial gradient to the whole.
  void Collect(const float* dpartial, std::span<float> gradient) const {
    Add(dpartial, width, weight.in(gradient));
    Add(dpartial + width, width, bias.in(gradient));
  }
  int64_t partial_size() const { return 2 * width; }

  const int64_t width;
  const Slot weight, bias;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_NORM_H_
