// Training of the kinds that are a residual stack of layers: "topk", "pathmoe"
// (arXiv 2603.18297: consecutive layers share a router), "adak" (each input has
// a k of its own, allocator.h), "mlp" and "cnn".
//
//   z_0 = h;  n_l = LayerNorm_l(z_l);  logits_l = W features(n_l) + b
//   z_{l+1} = z_l + sum of v_i expert_{l,i}(n_l) over the k chosen (topk.h)
//   prediction_t = softmax(head(LayerNorm_head(z_t))),  t = 0..L
//
// A step is a layer; each has an exit. In "mlp" and "cnn" a layer has one
// expert, with weight 1, and no router. Coverage is the share of the layers
// that have run.
//
// Balance (Switch loss, Fedus et al., 2021): balance / L * sum over layers of
// N sum_i f_i P_i, f_i the share of choices that fell on expert i, P_i the mean
// of p_i over the batch. Only its gradient is used.
//
// Shapes: B rows, k experts that a row runs in a layer, at most, d floats of a
// stream, m of an expert's hidden layer, F features, L layers, N experts a
// layer, C classes.
#ifndef MRE_MODEL_NET_STACK_H_
#define MRE_MODEL_NET_STACK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/allocator.h"
#include "model/net/expert_sort.h"
#include "model/net/features.h"
#include "model/net/network.h"
#include "model/net/stack_params.h"

namespace mre {

class StackNetwork : public Network {
 public:
  // REQUIRES: Validate(config).ok(), and the kind is one of the above.
  explicit StackNetwork(const ModelConfig& config,
                        Precision precision = Precision::kF32);

  const ParamTable& table() const override { return parts_.table; }
  int64_t max_steps() const override { return config_.layers; }
  std::vector<float> InitialParams(uint64_t seed) const override {
    return InitialStackParams(config_, seed);
  }
  Exits Forward(std::span<const float> params, const float* x, int64_t rows,
                const PassOptions& options) override;
  void Backward(std::span<const float> params, const float* x,
                const float* dlogits, std::span<float> gradient) override;

  // For gradient checks: the next passes choose what the last one chose.
  void KeepChoices() { keep_choices_ = true; }
  // The balance term of the last pass, weighted.
  double balance_loss() const;
  // The allocators' term of the last pass: the mean over the rows. 0 where
  // there is none, or there were no labels.
  double allocation_loss() const;

 private:
  // What a pass keeps of one layer. "Sorted" buffers hold the choices, B*k at
  // most, in order of their expert, then row; `position` maps b*k+j to the
  // place.
  struct LayerPass {
    std::vector<float> stats;          // [B,norm's]
    std::vector<float> normal;         // [B,d]
    std::vector<float> features;       // [B,F]; empty: normal is read itself
    std::vector<float> feature_stats;  // [B,2]
    std::vector<float> p;              // [B,N]
    std::vector<float> allocation;     // [B,k] a; adak
    std::vector<int32_t> count;        // [B] experts that a row runs
    std::vector<int32_t> chosen;       // [B,k], ascending, then -1
    std::vector<float> weight;         // [B,k]
    ExpertSort sorted;                 // of the choices [B,k]
    std::vector<float> read;           // sorted [.,d]
    std::vector<float> hidden;         // sorted [.,m]
    std::vector<float> wrote;          // sorted [.,d]
  };

  // One pass through all layers.
  void Run(std::span<const float> params, const float* x);
  // The second pass of each row's pair (allocator.h), then the one that counts.
  void RunPairs(std::span<const float> params, const float* x);
  // Of each row: the weighted loss of its exits, and its experts' price.
  std::vector<double> RowCosts() const;
  void LayerForward(std::span<const float> params, int64_t layer);
  // Chooses the experts of rows [begin, end) of a layer.
  void Choose(std::span<const float> params, int64_t layer, int64_t begin,
              int64_t end);
  // How many experts a row runs. `key`: of its noise.
  int32_t CountFor(int64_t row, int64_t layer, uint64_t key) const;
  // From dz_, the gradient at z_{layer+1}, to that at z_layer.
  void LayerBackward(std::span<const float> params, int64_t layer,
                     std::span<float> gradient);
  // Adds to dnormal_ what comes through the router, from dweight_.
  void GateBackward(std::span<const float> params, int64_t layer,
                    std::span<float> gradient);
  // The gradient of allocation_loss.
  void AllocatorBackward(int64_t layer, std::span<float> gradient);
  // Calls body(b*k+j, b) for each choice of rows [begin, end).
  template <typename Body>
  void ForChoices(const LayerPass& pass, int64_t begin, int64_t end,
                  Body body) const {
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t j = 0; j < pass.count[b]; ++j) body(b * k_ + j, b);
    }
  }
  // The experts that a row runs.
  std::span<const int32_t> Chosen(const LayerPass& pass, int64_t b) const {
    return {pass.chosen.data() + b * k_, static_cast<size_t>(pass.count[b])};
  }
  // a of a row.
  std::span<const float> Allocation(const LayerPass& pass, int64_t b) const {
    return {pass.allocation.data() + b * k_, static_cast<size_t>(k_)};
  }
  // What a layer's router reads, [B,F].
  const float* router_input(const LayerPass& pass) const {
    return features_.identity() ? pass.normal.data() : pass.features.data();
  }
  // f_i of a layer.
  std::vector<double> Shares(const LayerPass& pass) const;

  // z at exit t of row b.
  float* out(int64_t b, int64_t t) {
    return out_.data() + (b * (steps_ + 1) + t) * size_;
  }

  const ModelConfig config_;
  const StackParams parts_;
  const Features features_;
  const int64_t size_;  // floats of a stream
  const int64_t k_;     // experts a row runs in a layer, at most

  // Of the last pass.
  PassOptions options_;
  bool keep_choices_ = false;
  int64_t rows_ = 0;
  int64_t steps_ = 0;
  std::vector<LayerPass> passes_;      // one a layer
  std::vector<AllocationPair> pairs_;  // [B]; empty: no allocator learns
  bool other_way_ = false;             // the second pass of the pairs is run
  ConvStem::Maps maps_;                // of the stem
  std::vector<float> h_;               // [B,d] what it gave
  std::vector<float> out_;             // [B,T+1,d]
  Head::Cache head_;
  std::vector<float> logits_;     // [B,T+1,C]
  std::vector<float> coverage_;   // [B,T+1]
  std::vector<int32_t> experts_;  // [B,T,k], -1: none
  std::vector<int32_t> path_;     // [B,T]

  // Of the backward pass.
  std::vector<float> dout_;         // [B,T+1,d] from the exits
  std::vector<float> dz_;           // [B,d]
  std::vector<float> dwrote_;       // sorted [.,d]
  std::vector<float> dhidden_;      // sorted [.,m]
  std::vector<float> dread_;        // sorted [.,d]
  std::vector<float> dweight_;      // [B,k]
  std::vector<float> dallocation_;  // [B,k]
  std::vector<float> dscore_;       // [B,N]
  std::vector<float> dnormal_;      // [B,d]
  std::vector<float> partial_;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_STACK_H_
