#include "model/engine/packed_stack.h"

#include "model/base/status_macros.h"
#include "model/net/stack_params.h"

namespace mre {
absl::StatusOr<std::unique_ptr<const PackedModel>> PackedStack::Create(
    const Model& model, Precision precision) {
  std::unique_ptr<PackedStack> packed(new PackedStack(model.config, precision));
  RETURN_IF_ERROR(packed->Pack(model.params));
  return packed;
}

absl::Status PackedStack::Pack(std::span<const float> params) {
  const StackParams parts(config());
  RETURN_IF_ERROR(gates_.Create(
      {config().features(), logits(), Activation::kNone, Precision::kF32}));
  for (size_t g = 0; g < parts.gates.size(); ++g) {
    std::vector<float> weight;
    std::vector<float> bias;
    const auto add = [&](const Gate& gate) {
      Append(gate.weight.of(params), weight);
      Append(gate.bias.of(params), bias);
    };
    add(parts.gates[g]);
    if (!parts.allocators.empty()) add(parts.allocators[g]);
    RETURN_IF_ERROR(gates_.Add(weight, bias));
  }
  return parts_.Pack(precision(), parts.stem, parts.layers, parts.head, params);
}

int64_t PackedStack::RowBytes() const {
  const int64_t floats = config().input.size() + 4 * config().stream_size() +
                         config().num_classes() + parts_.WorkFloats();
  return floats * static_cast<int64_t>(sizeof(float)) + kRecordBytes;
}

void PackedStack::Router(int64_t layer, const float* x, int64_t rows,
                         std::vector<float>& scratch, float* logits) const {
  parts_.RunRouter(gates_, layer / config().sharing, x, rows, scratch, logits);
}

}  // namespace mre
