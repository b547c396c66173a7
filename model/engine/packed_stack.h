// A model of the kinds "topk", "pathmoe" and "mlp", packed: the parts that one
// step, a layer, runs.
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
  // Experts of a layer that a row runs.
  int64_t chosen() const {
    return config().kind == Kind::kMlp ? 1 : config().top_k;
  }
  bool has_router() const { return config().kind != Kind::kMlp; }

  // Logits [rows,N] of a layer's router, of normalised streams x. Buffers as
  // PackedParts'.
  void Router(int64_t layer, const float* x, int64_t rows,
              std::vector<float>& scratch, float* logits) const;

 private:
  PackedStack(const ModelConfig& config, Precision precision)
      : PackedModel(config, precision), parts_(config) {}
  absl::Status Pack(std::span<const float> params);

  PackedParts parts_;
  PackedLinear gates_;  // by group of layers
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_STACK_H_
