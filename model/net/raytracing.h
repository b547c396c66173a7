// Training of the kind "raytracing" (Ray-Tracing for Conditionally Activated
// Neural Networks, arXiv 2502.14788), in the reading that model/README.md
// gives: feed-forward, at a threshold theta that falls from step to step.
//
// Exit t >= 1 is the network at theta_t; exit 0 is before any block may wake.
// A row stops at the first exit t* at which more mass than theta_out arrives at
// the output, or at the last. Its loss is there and nowhere else
// (Exits::weights); theta and the set of blocks that are awake are constants of
// the gradient, so that blocks asleep have none.
//
// Arrival loss: arrival * mean over rows of max(0, 1.2 theta_out - what arrived
// at t* - 1), for rows with t* > 1: the one pressure to use few blocks.
//
// Shapes: B rows, U units, S sources (wiring.h), D wires of the output, C
// classes.
#ifndef MRE_MODEL_NET_RAYTRACING_H_
#define MRE_MODEL_NET_RAYTRACING_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/network.h"
#include "model/net/raytracing_params.h"
#include "model/net/relaxation.h"

namespace mre {

class RaytracingNetwork : public Network {
 public:
  // REQUIRES: Validate(config).ok(), and the kind is raytracing.
  explicit RaytracingNetwork(const ModelConfig& config);

  const ParamTable& table() const override { return parts_.table; }
  int64_t max_steps() const override { return config_.raytracing.max_steps; }
  std::vector<float> InitialParams(uint64_t seed) const override {
    return InitialRaytracingParams(config_, seed);
  }
  Exits Forward(std::span<const float> params, const float* x, int64_t rows,
                const PassOptions& options) override;
  void Backward(std::span<const float> params, const float* x,
                const float* dlogits, std::span<float> gradient) override;

  // For gradient checks: the next passes stop where the last one did.
  void KeepStops() { keep_stops_ = true; }
  // The arrival loss of the last pass, weighted.
  double arrival_loss() const;

 private:
  // What one thread needs for its block of rows.
  struct Scratch {
    std::vector<int64_t> users;
    std::vector<float> read, out;
  };

  // All that a pass does with rows [begin, end).
  void RelaxRows(std::span<const float> params, const float* x, int64_t begin,
                 int64_t end);
  void RunModules(std::span<const float> params, const float* x, int64_t begin,
                  int64_t end, Scratch& scratch);
  // One step of each row at its theta_. Adds what it costs to `macs`, by row,
  // unless that is null.
  void RunBlocks(std::span<const float> params, std::span<const int64_t> rows,
                 RowStates& states, uint64_t* macs, Scratch& scratch);
  // Exit t of rows that have just run it.
  void ReadExit(std::span<const float> params, std::span<const int64_t> rows,
                int64_t t, Scratch& scratch);
  void NoteWoken(int64_t b);
  // Of the blocks that woke since there were `from`, the one of largest rate;
  // -1 when there is none.
  int32_t Leader(int64_t b, int64_t from);
  // Exits after a row's last, and the weights.
  void FillExits(int64_t b);
  // What would have arrived one step earlier.
  void RunEarly(std::span<const float> params, int64_t begin, int64_t end,
                Scratch& scratch);

  // From dz of the output's wires to dq_ of a row: the gradient of what every
  // softmax of the row reads.
  void BackwardRow(std::span<const float> params, int64_t b, RowStates& states,
                   const float* dz);
  // Adds the gradients of modules' and blocks' parameters, given dq_.
  void AddWeightGradients(const float* x, RowStates& states,
                          std::span<float> gradient);
  void AddModuleGradient(const float* x, int64_t module,
                         std::span<float> gradient) const;
  void AddBlockGradient(int64_t block, RowStates& states,
                        std::span<float> gradient) const;

  const ModelConfig config_;
  const RaytracingParams parts_;
  const Relaxation relaxation_;
  const Wiring& wiring_;
  const int64_t classes_;
  const int64_t out_wires_;  // D
  const uint64_t stem_macs_;
  std::vector<float> thresholds_;  // by step; the first is not used

  // Of the last pass.
  PassOptions options_;
  bool keep_stops_ = false;
  int64_t rows_ = 0;
  int64_t steps_ = 0;
  RowStates states_;                  // at t*
  RowStates early_;                   // at t* - 1, if there is an arrival loss
  std::vector<int64_t> stop_;         // [B] t*
  std::vector<float> theta_;          // [B]
  std::vector<float> arrived_;        // [B] mass, at the last exit
  std::vector<float> early_arrived_;  // [B]
  std::vector<std::vector<int32_t>> woken_;  // [B] blocks, as they woke
  std::vector<int64_t> woken_by_;            // [B,T+1] how many of them by then
  std::vector<int32_t> path_;                // [B,T]
  std::vector<uint8_t> ever_awake_;          // [B,L*N]
  std::vector<float> logits_;                // [B,T+1,C]
  std::vector<float> coverage_;              // [B,T+1]
  std::vector<float> weights_;               // [B,T+1]
  std::vector<uint64_t> macs_;               // [B,T+1]
  std::vector<int32_t> experts_;
  std::vector<int64_t> expert_begin_;  // [B*T+1]

  // Of the backward pass.
  std::vector<float> read_, dread_;  // [B,D]
  std::vector<float> dhead_;         // [B,C]
  std::vector<float> dq_;            // [B,U]
};

}  // namespace mre

#endif  // MRE_MODEL_NET_RAYTRACING_H_
