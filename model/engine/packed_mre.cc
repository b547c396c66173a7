#include "model/engine/packed_mre.h"

#include <algorithm>
#include <cmath>

#include "model/base/status_macros.h"
#include "model/engine/engine.h"
#include "model/net/mre_params.h"

namespace mre {

absl::StatusOr<std::unique_ptr<const PackedModel>> PackedMre::Create(
    const Model& model, Precision precision) {
  std::unique_ptr<PackedMre> packed(new PackedMre(model.config, precision));
  RETURN_IF_ERROR(packed->Pack(model.params));
  return packed;
}

absl::Status PackedMre::Pack(std::span<const float> params) {
  const MreParams parts(config());
  RETURN_IF_ERROR(
      parts_.Pack(precision(), parts.stem, parts.layers, parts.head, params));
  RETURN_IF_ERROR(context_.Create({config().features(), config().context,
                                   Activation::kNone, Precision::kF32}));
  RETURN_IF_ERROR(context_.Add(parts.router.context_weight.of(params),
                               parts.router.context_bias.of(params)));
  // All gates in one product.
  const int64_t groups = config().gate_groups();
  RETURN_IF_ERROR(gates_.Create({config().context, groups * config().experts,
                                 Activation::kNone, Precision::kF32}));
  std::vector<float> gates;
  std::vector<float> gate_biases;
  for (int64_t l = 0; l < config().layers; ++l) {
    if (l % config().sharing == 0) {
      Append(parts.router.gate_weight[l].of(params), gates);
      Append(parts.router.gate_bias[l].of(params), gate_biases);
    }
    if (l > 0) Append(parts.router.transition[l].of(params), transitions_);
  }
  return gates_.Add(gates, gate_biases);
}

int PackedMre::MostQuiet() const {
  return config().expert == ExpertKind::kConv ? Engine::kMostAhead
                                              : Engine::kMostQuiet;
}

int64_t PackedMre::RowBytes() const {
  // Of one wave.
  const int64_t steps = std::min<int64_t>(MostQuiet(), max_steps());
  const int64_t floats = config().input.size() +
                         (config().layers + 1) * config().stream_size() +
                         routing().probabilities() + routing().total() +
                         Engine::kMostAhead * config().num_classes() +
                         steps * 2 * config().stream_size() +
                         config().num_classes() + parts_.WorkFloats();
  return floats * static_cast<int64_t>(sizeof(float)) + routing().total() +
         kRecordBytes + Engine::kMostQuiet * kPlanBytes;
}

void PackedMre::Router(const float* h, int64_t rows,
                       std::vector<float>& scratch, float* logits) const {
  std::vector<float> context(LinearOp::PaddedRows(rows) * config().context);
  parts_.RunRouter(context_, 0, h, rows, scratch, context.data());
  for (int64_t i = 0; i < rows * config().context; ++i) {
    context[i] = std::tanh(context[i]);
  }
  gates_.Apply(0, context.data(), rows, logits);
  if (config().sharing == 1) return;
  // From a gate a group to one a layer, from the end, so that nothing is
  // overwritten before it has been read.
  const int64_t n = config().experts;
  for (int64_t i = rows - 1; i >= 0; --i) {
    for (int64_t l = config().layers - 1; l >= 0; --l) {
      const float* from =
          logits + (i * config().gate_groups() + l / config().sharing) * n;
      float* to = logits + (i * config().layers + l) * n;
      if (from != to) std::copy_n(from, n, to);
    }
  }
}

}  // namespace mre
