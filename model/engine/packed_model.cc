#include "model/engine/packed_model.h"

#include <cmath>

#include "model/base/status_macros.h"

namespace mre {
namespace {

void Append(std::span<const float> from, std::vector<float>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

PackedModel::PackedModel(const ModelConfig& config, Precision precision)
    : config_(config), cost_(CostOf(config)), precision_(precision) {}

absl::StatusOr<std::unique_ptr<const PackedModel>> PackedModel::Create(
    const Model& model, Precision precision) {
  std::unique_ptr<PackedModel> packed(new PackedModel(model.config, precision));
  RETURN_IF_ERROR(packed->Pack(model.params));
  return packed;
}

absl::Status PackedModel::Pack(std::span<const float> params) {
  const Layout layout(config_);
  const int64_t d = config_.width;
  const auto create = [](std::unique_ptr<LinearOp>& op, int64_t in, int64_t out,
                         Activation activation, Precision precision) {
    auto created = LinearOp::Create({in, out, activation, precision});
    if (!created.ok()) return created.status();
    op = *std::move(created);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(create(stem_op_, config_.input.size(), d,
                         config_.stem_activation, Precision::kF32));
  RETURN_IF_ERROR(create(context_op_, d, config_.context, Activation::kNone,
                         Precision::kF32));
  RETURN_IF_ERROR(create(gates_op_, config_.context, config_.total_experts(),
                         Activation::kNone, Precision::kF32));
  RETURN_IF_ERROR(
      create(up_op_, d, config_.hidden, Activation::kRelu, precision_));
  RETURN_IF_ERROR(
      create(down_op_, config_.hidden, d, Activation::kNone, precision_));
  RETURN_IF_ERROR(create(head_op_, d, config_.num_classes(), Activation::kNone,
                         precision_));

  const auto pack = [](const LinearOp& op, std::span<const float> weight,
                       std::span<const float> bias,
                       std::vector<LinearOp::Weights>& to) {
    auto packed = op.Pack(weight, bias);
    if (!packed.ok()) return packed.status();
    to.push_back(*std::move(packed));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(pack(*stem_op_, layout.stem_weight.of(params),
                       layout.stem_bias.of(params), stem_));
  RETURN_IF_ERROR(pack(*context_op_, layout.context_weight.of(params),
                       layout.context_bias.of(params), context_));
  RETURN_IF_ERROR(pack(*head_op_, layout.head_weight.of(params),
                       layout.head_bias.of(params), head_));
  for (int64_t e = 0; e < config_.total_experts(); ++e) {
    RETURN_IF_ERROR(pack(*up_op_, layout.up_weight[e].of(params),
                         layout.up_bias[e].of(params), up_));
    RETURN_IF_ERROR(pack(*down_op_, layout.down_weight[e].of(params),
                         layout.down_bias[e].of(params), down_));
  }
  // All layers' gates in one product.
  std::vector<float> gates;
  std::vector<float> gate_biases;
  for (int64_t l = 0; l < config_.layers; ++l) {
    Append(layout.gate_weight[l].of(params), gates);
    Append(layout.gate_bias[l].of(params), gate_biases);
    if (l > 0) Append(layout.transition[l].of(params), transitions_);
    Append(layout.norm_weight[l].of(params), norms_);
    Append(layout.norm_bias[l].of(params), norms_);
  }
  RETURN_IF_ERROR(pack(*gates_op_, gates, gate_biases, gates_));
  Append(layout.head_norm_weight.of(params), norms_);
  Append(layout.head_norm_bias.of(params), norms_);
  return absl::OkStatus();
}

int64_t PackedModel::RowBytes() const {
  const int64_t floats = config_.input.size() +
                         (config_.layers + 1) * config_.width +
                         routing().probabilities() + config_.num_classes();
  return floats * static_cast<int64_t>(sizeof(float)) + routing().total();
}

void PackedModel::Stem(const float* x, int64_t rows, float* h) const {
  stem_op_->Apply(stem_[0], x, rows, h);
}

void PackedModel::Router(const float* h, int64_t rows, float* scratch,
                         float* logits) const {
  context_op_->Apply(context_[0], h, rows, scratch);
  for (int64_t i = 0; i < rows * config_.context; ++i) {
    scratch[i] = std::tanh(scratch[i]);
  }
  gates_op_->Apply(gates_[0], scratch, rows, logits);
}

void PackedModel::Expert(int64_t expert, const float* x, int64_t rows,
                         float* scratch, float* y) const {
  up_op_->Apply(up_[expert], x, rows, scratch);
  down_op_->Apply(down_[expert], scratch, rows, y);
}

void PackedModel::Head(const float* x, int64_t rows, float* logits) const {
  head_op_->Apply(head_[0], x, rows, logits);
}

}  // namespace mre
