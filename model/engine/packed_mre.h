// A model of the kind "mre", packed: the parts that one step runs.
#ifndef MRE_MODEL_ENGINE_PACKED_MRE_H_
#define MRE_MODEL_ENGINE_PACKED_MRE_H_

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/packed_linear.h"
#include "model/engine/packed_model.h"
#include "model/net/routing.h"

namespace mre {

class PackedMre : public PackedModel {
 public:
  static absl::StatusOr<std::unique_ptr<const PackedModel>> Create(
      const Model& model, Precision precision);

  RoutingShape routing() const { return {config().layers, config().experts}; }
  int64_t RowBytes() const override;

  // The parts of one step, each over any number of rows; x and y as
  // LinearOp::Apply wants them.
  void Stem(const float* x, int64_t rows, float* h) const;
  // scratch: [rows,r]. Writes the gates' logits [rows, L*N].
  void Router(const float* h, int64_t rows, float* scratch,
              float* logits) const;
  // scratch: [rows,m]. y = down(relu(up(x))), x after LayerNorm.
  void Expert(int64_t expert, const float* x, int64_t rows, float* scratch,
              float* y) const;
  // Logits [rows,C] of x after LayerNorm.
  void Head(const float* x, int64_t rows, float* logits) const;

  // The learned B_1..B_{L-1} one after the other: [L-1,N,N].
  const float* transitions() const { return transitions_.data(); }
  // Gain and bias of layer `layer`'s LayerNorm; layer L is the head's.
  const float* norm_gain(int64_t layer) const {
    return norms_.data() + 2 * layer * config().width;
  }
  const float* norm_bias(int64_t layer) const {
    return norm_gain(layer) + config().width;
  }

 private:
  PackedMre(const ModelConfig& config, Precision precision)
      : PackedModel(config, precision) {}
  absl::Status Pack(std::span<const float> params);

  PackedLinear stem_, context_, gates_, head_;  // one each
  PackedLinear up_, down_;                      // by expert
  std::vector<float> transitions_;
  std::vector<float> norms_;  // [L+1, 2, d]
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_MRE_H_
