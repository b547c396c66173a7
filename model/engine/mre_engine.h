// The engine of the kind "mre": a step activates each row's next expert.
#ifndef MRE_MODEL_ENGINE_MRE_ENGINE_H_
#define MRE_MODEL_ENGINE_MRE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/engine.h"
#include "model/engine/packed_mre.h"

namespace mre {

class MreEngine : public Engine {
 public:
  MreEngine(std::shared_ptr<const PackedMre> model, const Options& options);

 protected:
  void Resize(int64_t rows) override;
  void Reset(int row) override;
  void Start(std::span<const int> rows) override;
  void Advance(std::span<const int> rows) override;
  void ReadHead(std::span<const int> rows, float* logits) override;

 private:
  // Traces the rays of the row's active experts: coverage and next expert.
  void Route(int row);

  float* stream(int row, int64_t layer) {
    return streams_.data() + (row * (layers_ + 1) + layer) * size_;
  }

  const std::shared_ptr<const PackedMre> model_;
  const int64_t layers_, experts_;
  const int64_t size_;  // floats of a stream
  const RoutingShape routing_;

  // Per row.
  std::vector<int64_t> next_expert_;  // -1: none is left
  std::vector<float> streams_;        // [rows, L+1, stream]
  std::vector<float> probabilities_;  // [rows, P] routing probabilities
  std::vector<uint8_t> active_;       // [rows, L*N]

  // Scratch of one step.
  std::vector<int> sorted_;
  std::vector<int64_t> begin_;
  std::vector<float> in_, mid_, out_;
  std::vector<float> rates_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_MRE_ENGINE_H_
