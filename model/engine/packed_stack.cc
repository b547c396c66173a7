#include "model/engine/packed_stack.h"

#include "model/base/status_macros.h"
#include "model/math/elementwise.h"

namespace mre {

absl::StatusOr<std::unique_ptr<const PackedModel>> PackedStack::Create(
    const Model& model, Precision precision) {
  std::unique_ptr<PackedStack> packed(new PackedStack(model.config, precision));
  RETURN_IF_ERROR(packed->Pack(model.params));
  return packed;
}

absl::Status PackedStack::Pack(std::span<const float> params) {
  const StackParams parts(config());
  const int64_t d = config().width;
  constexpr Activation kNone = Activation::kNone;
  RETURN_IF_ERROR(stem_.Create(
      {config().input.size(), d, config().stem_activation, Precision::kF32}));
  RETURN_IF_ERROR(gates_.Create({d, config().experts, kNone, Precision::kF32}));
  RETURN_IF_ERROR(
      up_.Create({d, config().hidden, Activation::kRelu, precision()}));
  RETURN_IF_ERROR(down_.Create({config().hidden, d, kNone, precision()}));
  RETURN_IF_ERROR(
      head_.Create({d, config().num_classes(), kNone, precision()}));

  const auto add = [params](PackedLinear& to, const Slot& weight,
                            const Slot& bias) {
    return to.Add(weight.of(params), bias.of(params));
  };
  const auto add_norm = [&](const Norm& norm) {
    for (const Slot& slot : {norm.weight, norm.bias}) {
      const auto values = slot.of(params);
      norms_.insert(norms_.end(), values.begin(), values.end());
    }
  };
  RETURN_IF_ERROR(add(stem_, parts.stem.weight, parts.stem.bias));
  for (const Gate& gate : parts.gates) {
    RETURN_IF_ERROR(add(gates_, gate.weight, gate.bias));
  }
  for (const ExpertLayer& layer : parts.layers) {
    add_norm(layer.norm);
    for (const mre::Expert& expert : layer.experts) {
      RETURN_IF_ERROR(add(up_, expert.up_weight, expert.up_bias));
      RETURN_IF_ERROR(add(down_, expert.down_weight, expert.down_bias));
    }
  }
  add_norm(parts.head.norm);
  return add(head_, parts.head.weight, parts.head.bias);
}

int64_t PackedStack::RowBytes() const {
  const int64_t floats =
      config().input.size() + config().width + config().num_classes();
  return floats * static_cast<int64_t>(sizeof(float));
}

void PackedStack::Normalise(int64_t layer, const float* z, float* y) const {
  const int64_t d = config().width;
  const float* gain = norms_.data() + 2 * layer * d;
  LayerNorm(z, d, gain, gain + d, y, nullptr);
}

}  // namespace mre
