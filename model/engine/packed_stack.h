// A model of the kinds that are a stack ("topk", "pathmoe", "adak", "mlp",
// "cnn"), packed: the parts that one step, a layer, runs.
#ifndef MRE_MODEL_ENGINE_PACKED_STACK_H_
#define MRE_MODEL_ENGINE_PACKED_STACK_H_

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/packed_model.h"
#include "model/engine/packed_parts.h"

namespace mre {

class PackedStack : public PackedModel {
 public:
  static absl::StatusOr<std::unique_ptr<const PackedModel>> Create(
      const Model& model, Precision precision);

  int64_t RowBytes() const override;
  const PackedParts& parts() const { return parts_; }
  // Experts of a layer that a row runs; adak: at most.
  int64_t chosen() const { return config().has_router() ? config().top_k : 1; }

  // Logits of a layer's router, and of its allocator behind them, of normalised
  // streams x: [rows, logits()]. Buffers as PackedParts'.
  int64_t logits() const { return config().experts + config().allocations(); }
  void Router(int64_t layer, const float* x, int64_t rows,
              std::vector<float>& scratch, float* logits) const;

 private:
  PackedStack(const ModelConfig& config, Precision precision)
      : PackedModel(config, precision), parts_(config) {}
  absl::Status Pack(std::span<const float> params);

  PackedParts parts_;
  PackedLinear gates_;  // by group of layers; each with its allocator
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_STACK_H_
