// A model of the kind "raytracing", packed.
#ifndef MRE_MODEL_ENGINE_PACKED_RAYTRACING_H_
#define MRE_MODEL_ENGINE_PACKED_RAYTRACING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/packed_linear.h"
#include "model/engine/packed_model.h"
#include "model/net/relaxation.h"

namespace mre {

class PackedRaytracing : public PackedModel {
 public:
  // `precision` is that of the blocks and the head: in bf16 a block that is
  // near its threshold may sleep where in f32 it wakes.
  static absl::StatusOr<std::unique_ptr<const PackedModel>> Create(
      const Model& model, Precision precision);

  int64_t RowBytes() const override;
  const Relaxation& relaxation() const { return relaxation_; }
  const Wiring& wiring() const { return relaxation_.wiring(); }

  // Products of `rows` rows, in buffers as LinearOp's: what each softmax reads,
  // or the logits.
  void RunModule(int64_t module, const float* x, int64_t rows, float* y) const {
    modules_.Apply(module, x, rows, y);
  }
  void RunBlock(int64_t block, const float* x, int64_t rows, float* y) const {
    blocks_[block].linear->Apply(blocks_[block].index, x, rows, y);
  }
  void RunHead(const float* x, int64_t rows, float* logits) const {
    head_.Apply(0, x, rows, logits);
  }

 private:
  // A block's product among those of its shape.
  struct Place {
    const PackedLinear* linear = nullptr;
    int64_t index = 0;
  };

  PackedRaytracing(const ModelConfig& config, Precision precision)
      : PackedModel(config, precision), relaxation_(config) {}
  absl::Status Pack(std::span<const float> params);

  const Relaxation relaxation_;
  PackedLinear modules_, head_;
  std::map<int64_t, PackedLinear> by_wires_;  // blocks by their inputs
  std::vector<Place> blocks_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_RAYTRACING_H_
