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
  const auto create = [](std::unique_ptr<LinearOp>& op, int64_t in, int64_t out,
                         Activation activation, Precision precision) {
    auto created = LinearOp::Create({in, out, activation, precision});
    if (!created.ok()) return created.status();
    op = *std::move(created);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(create(stem_op_, config().input.size(), d,
                         config().stem_activation, Precision::kF32));
  RETURN_IF_ERROR(create(context_op_, d, config().context, Activation::kNone,
                         Precision::kF32));
  RETURN_IF_ERROR(create(gates_op_, config().context, config().total_experts(),
                         Activation::kNone, Precision::kF32));
  RETURN_IF_ERROR(
      create(up_op_, d, config().hidden, Activation::kRelu, precision()));
  RETURN_IF_ERROR(
      create(down_op_, config().hidden, d, Activation::kNone, precision()));
  RETURN_IF_ERROR(create(head_op_, d, config().num_classes(), Activation::kNone,
                         precision()));

  const auto pack = [](const LinearOp& op, std::span<const float> weight,
                       std::span<const float> bias,
                       std::vector<LinearOp::Weights>& to) {
    auto packed = op.Pack(weight, bias);
    if (!packed.ok()) return packed.status();
    to.push_back(*std::move(packed));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(pack(*stem_op_, parts.stem.weight.of(params),
                       parts.stem.bias.of(params), stem_));
  RETURN_IF_ERROR(pack(*context_op_, router.context_weight.of(params),
                       router.context_bias.of(params), context_));
  RETURN_IF_ERROR(pack(*head_op_, parts.head.weight.of(params),
                       parts.head.bias.of(params), head_));
  for (int64_t e = 0; e < config().total_experts(); ++e) {
    RETURN_IF_ERROR(pack(*up_op_, parts.expert(e).up_weight.of(params),
                         parts.expert(e).up_bias.of(params), up_));
    RETURN_IF_ERROR(pack(*down_op_, parts.expert(e).down_weight.of(params),
                         parts.expert(e).down_bias.of(params), down_));
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
  RETURN_IF_ERROR(pack(*gates_op_, gates, gate_biases, gates_));
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
  stem_op_->Apply(stem_[0], x, rows, h);
}

void PackedMre::Router(const float* h, int64_t rows, float* scratch,
                       float* logits) const {
  context_op_->Apply(context_[0], h, rows, scratch);
  for (int64_t i = 0; i < rows * config().context; ++i) {
    scratch[i] = std::tanh(scratch[i]);
  }
  gates_op_->Apply(gates_[0], scratch, rows, logits);
}

void PackedMre::Expert(int64_t expert, const float* x, int64_t rows,
                       float* scratch, float* y) const {
  up_op_->Apply(up_[expert], x, rows, scratch);
  down_op_->Apply(down_[expert], scratch, rows, y);
}

void PackedMre::Head(const float* x, int64_t rows, float* logits) const {
  head_op_->Apply(head_[0], x, rows, logits);
}

}  // namespace mre
