// The engine of the kind "mre": a step activates each row's next expert.
//
// The whole order follows from step 0, so a wave runs several steps of each row
// layer by layer: the experts of layer l read streams that only lower layers
// write. Each stream receives what the steps wrote in their order, so the bits
// are those of one step after the other.
#ifndef MRE_MODEL_ENGINE_MRE_ENGINE_H_
#define MRE_MODEL_ENGINE_MRE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/engine.h"
#include "model/engine/packed_mre.h"
#include "model/net/expert_sort.h"

namespace mre {

class MreEngine : public Engine {
 public:
  MreEngine(std::shared_ptr<const PackedMre> model, const Options& options);

  int64_t Unshown(int row) const override { return waves_[row].Left(); }

 protected:
  void Resize(int64_t rows) override;
  void Reset(int row) override;
  void Start(std::span<const int> rows) override;
  void Advance(std::span<const int> rows, std::span<const int> ahead) override;
  void ReadHead(std::span<const int> rows, float* logits) override;

 private:
  // What a step is, but for its numbers.
  struct Planned {
    int64_t expert = 0;
    float coverage = 0;      // after it
    bool exhausted = false;  // after it
  };
  // Steps of one row that are computed; `shown` of them have been shown.
  struct Wave {
    int64_t size = 0;
    int64_t shown = 0;
    Planned steps[kMostQuiet];

    int64_t Left() const { return size - shown; }
  };

  // Traces the rays of the row's active experts after `step` steps: the next
  // expert; returns the coverage.
  float Route(int row, uint32_t step);
  // Plans the row's next steps, `most` of them unless fewer are left.
  void Plan(int row, int most);
  // Runs the waves of rows that have none left.
  void RunWaves(std::span<const int> rows);
  // Brings the rows' streams of a layer up to the end of their waves; `body` is
  // called with the row, the step of its wave and of all waves, and the stream
  // as it reads it, for each step of that layer.
  template <typename Body>
  void ForSteps(std::span<const int> rows, int64_t layer, Body body);
  // Shows a row's next step, of a quiet one all that are computed.
  void Show(int row);
  // True when a head is run for that step of the row's wave.
  bool HasHead(int row, int64_t step) {
    return !this->row(row).quiet || step + 1 == waves_[row].size;
  }

  float* stream(int row, int64_t layer) {
    return streams_.data() + (row * (layers_ + 1) + layer) * size_;
  }

  float* wave_logits(int row) {
    return wave_logits_.data() +
           row * kMostAhead * model_->config().num_classes();
  }

  const std::shared_ptr<const PackedMre> model_;
  const int64_t layers_, experts_;
  const int64_t size_;  // floats of a stream
  const RoutingShape routing_;

  // Per row.
  std::vector<int64_t> next_expert_;  // -1: none is left
  std::vector<float> streams_;        // [rows, L+1, stream]
  std::vector<float> probabilities_;  // [rows, P] routing probabilities
  std::vector<uint8_t> active_;       // [rows, L*N], at the end of the wave
  std::vector<Wave> waves_;
  std::vector<float> wave_logits_;  // [rows, kMostAhead, C]; those with a head

  // Scratch of one Step.
  std::vector<int> waiting_;   // rows without a computed step
  std::vector<int32_t> uses_;  // experts of the waves' steps, row by row
  ExpertSort sorted_;          // of those
  std::vector<float> in_, mid_, out_, logits_;
  std::vector<float> rates_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_MRE_ENGINE_H_
