// Training of the kind "mre": the whole unrolled sequence of a batch, forward
// and backward (equations and names: model/README.md).
//
// Both passes are layer-major. The order of experts depends on the stem's
// output alone, and an expert of layer l reads only what experts of lower
// layers wrote before it, so all (row, step) pairs that use one expert join
// one product: each expert is called once a batch.
//
// Shapes: B rows, T steps, d floats of a stream, m of an expert's hidden layer,
// F features, r context, L layers, N experts a layer, C classes, P =
// RoutingShape::probabilities().
#ifndef MRE_MODEL_NET_MRE_H_
#define MRE_MODEL_NET_MRE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/mre_pairs.h"
#include "model/net/mre_params.h"
#include "model/net/network.h"
#include "model/net/routing.h"

namespace mre {

// A pass whose choices may be prescribed, for gradient checks.
struct UnrollOptions : PassOptions {
  // A fixed order [B,T] instead of a chosen one; and the values [B,T] of s from
  // which an expert's weight w = 1 + s - anchor departs (training uses s
  // itself, so w is 1 and only its gradient is not that of a constant: the
  // straight-through estimate).
  std::span<const int32_t> order;
  std::span<const float> anchor;
  // With kPairs: fixed rivals and credits, both [B,T].
  std::span<const int32_t> rivals;
  std::span<const float> credits;
};

// Everything one batch keeps between forward and backward. Buffers grow to the
// largest batch seen and are reused. "Sorted" buffers hold the B*T (row, step)
// pairs b*T+t as `sorted` has them.
struct Unrolled {
  int64_t rows = 0;
  int64_t steps = 0;

  std::vector<float> h;              // [B,d] the stem's output
  ConvStem::Maps maps;               // before it
  std::vector<float> features;       // [B,F]; empty: h is read itself
  std::vector<float> feature_stats;  // [B,2]
  std::vector<float> context;        // [B,r] u
  std::vector<float> probabilities;  // [B,P] routing probabilities
  std::vector<int32_t> order;        // [B,T] expert l*N+i of each step
  std::vector<float> coverage;       // [B,T+1] after each step
  std::vector<float> soft;           // [B,T,L*N] relaxed choice, 0 elsewhere;
                                     // empty where the router learns from pairs
  std::vector<float> weight;         // [B,T] w
  ExpertSort sorted;
  std::vector<float> read;        // sorted [.,d] the stream as it was read
  std::vector<float> read_stats;  // sorted [.,norm's]
  std::vector<float> normal;      // sorted [.,d] its LayerNorm
  std::vector<float> hidden;      // sorted [.,m] after relu
  std::vector<float> wrote;       // sorted [.,d] y, before its weight
  std::vector<float> out;         // [B,T+1,d] z_L at each step
  Head::Cache head;
  std::vector<float> logits;  // [B,T+1,C]
  Rivals rivals;              // empty unless the router learns from pairs
};

// Buffers of the backward pass, reused from batch to batch.
struct Gradients {
  std::vector<float> out, read, wrote, hidden, h;  // as in Unrolled
  std::vector<float> weight;                       // [B,T]
  std::vector<float> scores;                       // [B,P]
  std::vector<float> gates;                        // [L,B,N]
  std::vector<float> context;                      // [B,r]
  std::vector<float> partial;                      // sums of row blocks
};

class MreNetwork : public Network {
 public:
  // REQUIRES: Validate(config).ok().
  explicit MreNetwork(const ModelConfig& config,
                      Precision precision = Precision::kF32)
      : config_(config), parts_(config, precision) {}

  const ParamTable& table() const override { return parts_.table; }
  int64_t max_steps() const override { return config_.expert_steps(); }
  std::vector<float> InitialParams(uint64_t seed) const override {
    return InitialMreParams(config_, seed);
  }
  Exits Forward(std::span<const float> params, const float* x, int64_t rows,
                const PassOptions& options) override;
  void Backward(std::span<const float> params, const float* x,
                const float* dlogits, std::span<float> gradient) override;

  // Forward with all that it left.
  const Unrolled& Unroll(std::span<const float> params, const float* x,
                         int64_t rows, const UnrollOptions& options);

 private:
  void LayerForward(std::span<const float> params, int64_t layer);
  void HeadForward(std::span<const float> params);
  // The credit of each pair (mre_pairs.h).
  void CreditRivals(std::span<const float> params);
  void LayerBackward(std::span<const float> params, int64_t layer,
                     std::span<float> gradient);

  const ModelConfig config_;
  const MreParams parts_;
  UnrollOptions options_;  // of the last forward pass
  Unrolled u_;
  Gradients g_;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_MRE_H_
