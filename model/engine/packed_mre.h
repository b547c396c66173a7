// A model of the kind "mre", packed: the parts that one step runs.
#ifndef MRE_MODEL_ENGINE_PACKED_MRE_H_
#define MRE_MODEL_ENGINE_PACKED_MRE_H_

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/packed_model.h"
#include "model/engine/packed_parts.h"
#include "model/net/routing.h"

namespace mre {

class PackedMre : public PackedModel {
 public:
  static absl::StatusOr<std::unique_ptr<const PackedModel>> Create(
      const Model& model, Precision precision);

  // Steps of a quiet row in one wave, at most. Of feature maps a few fill a
  // product, and more would take memory only.
  int MostQuiet() const;

  RoutingShape routing() const { return {config().layers, config().experts}; }
  int64_t RowBytes() const override;
  const PackedParts& parts() const { return parts_; }

  // The gates' logits [rows, L*N] of h [rows,stream]. Buffers as PackedParts'.
  void Router(const float* h, int64_t rows, std::vector<float>& scratch,
              float* logits) const;
  // The learned B_1..B_{L-1} one after the other: [L-1,N,N].
  const float* transitions() const { return transitions_.data(); }

 private:
  PackedMre(const ModelConfig& config, Precision precision)
      : PackedModel(config, precision), parts_(config) {}
  absl::Status Pack(std::span<const float> params);

  PackedParts parts_;
  PackedLinear context_, gates_;  // one each
  std::vector<float> transitions_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_MRE_H_
