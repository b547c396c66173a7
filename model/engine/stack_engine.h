// The engine of the kinds that are a stack ("topk", "pathmoe", "adak", "mlp",
// "cnn"): a step runs a row's next layer. Rows at one layer share its products,
// whatever requests they are of.
#ifndef MRE_MODEL_ENGINE_STACK_ENGINE_H_
#define MRE_MODEL_ENGINE_STACK_ENGINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/engine.h"
#include "model/engine/packed_stack.h"

namespace mre {

class StackEngine : public Engine {
 public:
  StackEngine(std::shared_ptr<const PackedStack> model, const Options& options);

 protected:
  void Resize(int64_t rows) override;
  void Reset(int) override {}
  void Start(std::span<const int> rows) override;
  void Advance(std::span<const int> rows, std::span<const int>) override;
  void ReadHead(std::span<const int> rows, float* logits) override;

 private:
  // One use of an expert by a row of a layer.
  struct Choice {
    int64_t at = 0;  // among the layer's rows
    float weight = 1;
  };

  void RunLayer(int64_t layer, std::span<const int> rows);
  // Fills choices_ from the rows' streams after LayerNorm, in normal_, and adds
  // to the rows' macs what they will run.
  void Choose(int64_t layer, std::span<const int> rows);

  float* stream(int row) { return streams_.data() + row * size_; }

  const std::shared_ptr<const PackedStack> model_;
  const int64_t layers_, experts_;
  const int64_t size_;  // floats of a stream

  std::vector<float> streams_;  // [rows, stream]

  // Scratch of one step.
  std::vector<std::vector<int>> at_layer_;    // rows by their next layer
  std::vector<std::vector<Choice>> choices_;  // by expert of the layer
  std::vector<int32_t> top_;  // of one row; adak: as many as it runs
  std::vector<float> normal_, logits_, score_, weights_, in_, mid_, out_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_STACK_ENGINE_H_
