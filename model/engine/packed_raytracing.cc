#include "model/engine/packed_raytracing.h"

#include "model/base/status_macros.h"
#include "model/net/raytracing_params.h"

namespace mre {

absl::StatusOr<std::unique_ptr<const PackedModel>> PackedRaytracing::Create(
    const Model& model, Precision precision) {
  std::unique_ptr<PackedRaytracing> packed(
      new PackedRaytracing(model.config, precision));
  RETURN_IF_ERROR(packed->Pack(model.params));
  return packed;
}

absl::Status PackedRaytracing::Pack(std::span<const float> params) {
  const RaytracingParams parts(config());
  const auto add = [params](PackedLinear& to, const RayLinear& linear) {
    return to.Add(linear.weight.of(params), linear.bias.of(params));
  };
  RETURN_IF_ERROR(modules_.Create({parts.modules.front().in, config().width,
                                   Activation::kNone, Precision::kF32}));
  for (const RayLinear& module : parts.modules) {
    RETURN_IF_ERROR(add(modules_, module));
  }
  std::map<int64_t, int64_t> packed;  // blocks by their inputs
  for (const RayLinear& block : parts.blocks) {
    const auto [it, is_new] = by_wires_.try_emplace(block.in);
    if (is_new) {
      RETURN_IF_ERROR(it->second.Create(
          {block.in, config().hidden, Activation::kNone, precision()}));
    }
    RETURN_IF_ERROR(add(it->second, block));
    blocks_.push_back({&it->second, packed[block.in]++});
  }
  RETURN_IF_ERROR(head_.Create(
      {parts.head.in, config().num_classes(), Activation::kNone, precision()}));
  return add(head_, parts.head);
}

int64_t PackedRaytracing::RowBytes() const {
  // As RowStates has it, and a flag and the handles of the blocks that woke.
  const int64_t floats = config().input.size() + wiring().units() +
                         wiring().sources() + wiring().blocks +
                         config().num_classes();
  const int64_t bytes =
      wiring().sources() + 2 * wiring().blocks + 2 * kRecordBytes;
  return floats * static_cast<int64_t>(sizeof(float)) + bytes +
         wiring().blocks * static_cast<int64_t>(sizeof(int32_t));
}

}  // namespace mre
