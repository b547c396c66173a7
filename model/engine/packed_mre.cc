#include "model/engine/packed_mre.h"

#include <cmath>

#include "model/base/status_macros.h"
#include "model/net/mre_params.h"

namespace mre {
namespace {

void Append(std::span<const float> from, std::vector<float>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

absl::StatusOr<std::unique_ptr<const PackedModel>> PackedMre::Create(
    const Model& model, Precision precision) {
  std::unique_ptr<PackedMre> packed(new PackedMre(model.config, precision));
  RETURN_IF_ERROR(packed->Pack(model.params));
  return packed;
}

absl::Status PackedMre::Pack(std::span<const float> params) {
  const MreParams parts(config());
  const MreRouterParams& router = parts.router;
  const int64_t d = config().width;
  constexpr Activation kNone = Activation::kNone;
  RETURN_IF_ERROR(stem_.Create(
      {config().input.size(), d, config().stem_activation, Precision::kF32}));
  RETURN_IF_ERROR(
      context_.Create({d, config().context, kNone, Precision::kF32}));
  RETURN_IF_ERROR(gates_.Create(
      {config().context, config().total_experts(), kNone, Precision::kF32}));
  RETURN_IF_ERROR(
      up_.Create({d, config().hidden, Activation::kRelu, precision()}));
  RETURN_IF_ERROR(down_.Create({config().hidden, d, kNone, precision()}));
  RETURN_IF_ERROR(
      head_.Create({d, config().num_classes(), kNone, precision()}));

  const auto add = [params](PackedLinear& to, const Slot& weight,
                            const Slot& bias) {
    return to.Add(weight.of(params), bias.of(params));
  };
  RETURN_IF_ERROR(add(stem_, parts.stem.weight, parts.stem.bias));
  RETURN_IF_ERROR(add(context_, router.context_weight, router.context_bias));
  RETURN_IF_ERROR(add(head_, parts.head.weight, parts.head.bias));
  for (int64_t e = 0; e < config().total_experts(); ++e) {
    const mre::Expert& expert = parts.expert(e);
    RETURN_IF_ERROR(add(up_, expert.up_weight, expert.up_bias));
    RETURN_IF_ERROR(add(down_, expert.down_weight, expert.down_bias));
  }
  // All layers' gates in one product.
  std::vector<float> gates;
  std::vector<float> gate_biases;
  for (int64_t l = 0; l < config().layers; ++l) {
    Append(router.gate_weight[l].of(params), gates);
    Append(router.gate_bias[l].of(params), gate_biases);
    if (l > 0) Append(router.transition[l].of(params), transitions_);
    Append(parts.layers[l].norm.weight.of(params), norms_);
    Append(parts.layers[l].norm.bias.of(params), norms_);
  }
  RETURN_IF_ERROR(gates_.Add(gates, gate_biases));
  Append(parts.head.norm.weight.of(params), norms_);
  Append(parts.head.norm.bias.of(params), norms_);
  return absl::OkStatus();
}

int64_t PackedMre::RowBytes() const {
  const int64_t floats = config().input.size() +
                         (config().layers + 1) * config().width +
                         routing().probabilities() + config().num_classes();
  return floats * static_cast<int64_t>(sizeof(float)) + routing().total();
}

void PackedMre::Stem(const float* x, int64_t rows, float* h) const {
  stem_.Apply(0, x, rows, h);
}

void PackedMre::Router(const float* h, int64_t rows, float* scratch,
                       float* logits) const {
  context_.Apply(0, h, rows, scratch);
  for (int64_t i = 0; i < rows * config().context; ++i) {
    scratch[i] = std::tanh(scratch[i]);
  }
  gates_.Apply(0, scratch, rows, logits);
}

void PackedMre::Expert(int64_t expert, const float* x, int64_t rows,
                       float* scratch, float* y) const {
  up_.Apply(expert, x, rows, scratch);
  down_.Apply(expert, scratch, rows, y);
}

void PackedMre::Head(const float* x, int64_t rows, float* logits) const {
  head_.Apply(0, x, rows, logits);
}

}  // namespace mre
