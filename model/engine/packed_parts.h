// The parts that every kind is made of, packed for the CPU: stem, experts with
// the LayerNorms that they read through, head.
#ifndef MRE_MODEL_ENGINE_PACKED_PARTS_H_
#define MRE_MODEL_ENGINE_PACKED_PARTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "model/engine/packed_linear.h"
#include "model/math/conv.h"
#include "model/net/expert_layer.h"
#include "model/net/features.h"
#include "model/net/head.h"
#include "model/net/stem.h"

namespace mre {

// Thread-safe once packed. Products need buffers with room for
// LinearOp::PaddedRows(rows * positions) positions; `scratch` buffers are grown
// as needed.
class PackedParts {
 public:
  explicit PackedParts(const ModelConfig& config)
      : config_(config), features_(config) {}

  // `precision` is that of the experts and the head; the stem is in f32.
  absl::Status Pack(Precision precision, const Stem& stem,
                    const std::vector<ExpertLayer>& layers, const Head& head,
                    std::span<const float> params);

  // Rows of a buffer that holds `rows` streams for a product.
  int64_t PaddedStreams(int64_t rows) const;

  // Floats that one row may take in `scratch` buffers, at most. (A conv stem
  // takes those of 64 rows, however many there are.)
  int64_t WorkFloats() const;

  // x: [rows,in], scaled; h: [rows,stream]. Works through the rows a few at a
  // time: what lies between convolutions is large.
  void RunStem(const float* x, int64_t rows, std::vector<float>& scratch,
               float* h) const;
  // One stream's LayerNorm of a layer.
  void Normalise(int64_t layer, const float* z, float* y) const;
  // y = expert l*N+i of x [rows,stream], which has been normalised.
  void RunExpert(int64_t expert, const float* x, int64_t rows,
                 std::vector<float>& scratch, float* y) const;
  // y = product i of `router` with the features (net/features.h) of streams x
  // [rows,stream].
  void RunRouter(const PackedLinear& router, int64_t i, const float* x,
                 int64_t rows, std::vector<float>& scratch, float* y) const;
  // One output stream -> what the head's product reads; and that product.
  void NormaliseForHead(const float* z, float* y) const;
  void RunHead(const float* x, int64_t rows, float* logits) const {
    head_.Apply(0, x, rows, logits);
  }

 private:
  bool conv() const { return config_.expert == ExpertKind::kConv; }
  void RunConvStem(const float* x, int64_t rows, float* h) const;

  const ModelConfig config_;
  const Features features_;
  std::vector<PackedConv> stem_convs_;             // in their order; or else
  PackedLinear stem_;                              // one
  std::vector<PackedConv> up_convs_, down_convs_;  // by expert; or else
  PackedLinear up_, down_;                         // by expert
  PackedLinear head_;                              // one
  std::vector<float> norms_;  // [L+1, 2, d]; the last is the head's
  std::vector<float> table_;  // [256,E] of a text's stem
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_PARTS_H_
