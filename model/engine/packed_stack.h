// A model of the kinds "topk", "pathmoe" and "mlp", packed: the parts that one
// step, a layer, runs.
#ifndef MRE_MODEL_ENGINE_PACKED_STACK_H_
#define MRE_MODEL_ENGINE_PACKED_STACK_H_

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/packed_linear.h"
#include "model/engine/packed_model.h"
#include "model/net/stack_params.h"

namespace mre {

class PackedStack : public PackedModel {
 public:
  static absl::StatusOr<std::unique_ptr<const PackedModel>> Create(
      const Model& model, Precision precision);

  int64_t RowBytes() const override;
  // Experts of a layer that a row runs.
  int64_t chosen() const {
    return config().kind == Kind::kMlp ? 1 : config().top_k;
  }
  bool has_router() const { return config().kind != Kind::kMlp; }

  // x and y as LinearOp::Apply wants them.
  void Stem(const float* x, int64_t rows, float* h) const {
    stem_.Apply(0, x, rows, h);
  }
  // Logits [rows,N] of a layer's router, of x after LayerNorm.
  void Router(int64_t layer, const float* x, int64_t rows,
              float* logits) const {
    gates_.Apply(layer / config().sharing, x, rows, logits);
  }
  // scratch: [rows,m]. Expert l*N+i, of x after LayerNorm.
  void Expert(int64_t expert, const float* x, int64_t rows, float* scratch,
              float* y) const {
    up_.Apply(expert, x, rows, scratch);
    down_.Apply(expert, scratch, rows, y);
  }
  void Head(const float* x, int64_t rows, float* logits) const {
    head_.Apply(0, x, rows, logits);
  }
  // LayerNorm of a layer; that of layer L is the head's.
  void Normalise(int64_t layer, const float* z, float* y) const;

 private:
  PackedStack(const ModelConfig& config, Precision precision)
      : PackedModel(config, precision) {}
  absl::Status Pack(std::span<const float> params);

  PackedLinear stem_, head_;  // one each
  PackedLinear gates_;        // by group of layers
  PackedLinear up_, down_;    // by expert
  std::vector<float> norms_;  // [L+1, 2, d]
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_STACK_H_
