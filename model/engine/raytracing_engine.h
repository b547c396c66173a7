// The engine of the kind "raytracing": a step lets a row relax at its next
// threshold. Rows share each block's product, whatever thresholds they are at.
//
// A step runs the product of a block only where what the block reads has
// changed since its last one; where it has not, only the amount that it sends
// changes. A row is exhausted when more than its theta_out arrives at the
// output, or at the bound of steps.
#ifndef MRE_MODEL_ENGINE_RAYTRACING_ENGINE_H_
#define MRE_MODEL_ENGINE_RAYTRACING_ENGINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/engine.h"
#include "model/engine/packed_raytracing.h"

namespace mre {

class RaytracingEngine : public Engine {
 public:
  RaytracingEngine(std::shared_ptr<const PackedRaytracing> model,
                   const Options& options);

 protected:
  void Resize(int64_t rows) override;
  void Reset(int handle) override;
  void Start(std::span<const int> rows) override;
  void Advance(std::span<const int> rows, std::span<const int>) override;
  void ReadHead(std::span<const int> rows, float* logits) override;
  void Retuned(int handle) override;

 private:
  // What a row keeps beside its RowState.
  struct Relaxing {
    double theta = 0;   // of its last step
    float arrived = 0;  // at the output
  };

  // One block for all rows that step.
  void RunBlock(int64_t block, std::span<const int> rows);
  // Which blocks woke in this step, and what arrived.
  void EndStep(int handle);
  // Sets `exhausted` and `next_step_macs`.
  void LookAhead(int handle);
  // What one more step may cost at most: which blocks it wakes is not known
  // before their products have run.
  uint64_t MostMacs(int handle);
  double NextTheta(int handle);
  float ThetaOut(int handle);

  const std::shared_ptr<const PackedRaytracing> model_;
  const Relaxation& relaxation_;
  const Wiring& wiring_;

  // Per row.
  RowStates states_;
  std::vector<Relaxing> relaxing_;
  std::vector<uint8_t> ever_awake_;  // [rows, L*N]

  // Scratch of one step.
  std::vector<int> users_;
  std::vector<float> in_, out_;
  // Scratch of MostMacs: by source, the most that it may send, whether that
  // and its shares are known exactly, and whether it may send something new.
  std::vector<float> most_;
  std::vector<uint8_t> exact_, moves_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_RAYTRACING_ENGINE_H_
