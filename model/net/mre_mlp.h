// Training of the kind "mre" with mlp experts: the whole unrolled sequence of
// a batch, forward and backward (equations and names: model/README.md).
//
// Both passes are layer-major. The order of experts depends on the stem's
// output alone, and an expert of layer l reads only what experts of lower
// layers wrote before it, so all (row, step) pairs that use one expert join
// one product: each expert is called once a batch.
//
// Shapes: B rows, T steps, d width, m hidden, r context, L layers, N experts a
// layer, C classes, P = RoutingShape::probabilities().
#ifndef MRE_MODEL_NET_MRE_MLP_H_
#define MRE_MODEL_NET_MRE_MLP_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/layout.h"
#include "model/net/routing.h"

namespace mre {

// How the order of experts is chosen while unrolling.
struct UnrollOptions {
  int64_t steps = 16;
  // The next expert is argmax(log rate + noise * Gumbel). 0: greedy.
  float noise = 0;
  // Of the relaxed choice s = softmax((log rate + noise * Gumbel) /
  // temperature), through which the router learns.
  float temperature = 1;
  // Of the Gumbel noise; the same seed draws the same noise.
  uint64_t seed = 0;

  // For gradient checks. A fixed order [B,T] instead of a chosen one; and the
  // values [B,T] of s from which an expert's weight w = 1 + s - anchor departs
  // (training uses s itself, so w is 1 and only its gradient is not that of a
  // constant: the straight-through estimate).
  std::span<const int32_t> order;
  std::span<const float> anchor;
};

// Everything one batch keeps between forward and backward. Buffers grow to the
// largest batch seen and are reused. "Sorted" buffers hold the B*T (row, step)
// pairs in order of their expert, then row, then step; `position` maps b*T+t
// to the pair's place.
struct Unrolled {
  int64_t rows = 0;
  int64_t steps = 0;

  std::vector<float> h;               // [B,d] the stem's output
  std::vector<float> context;         // [B,r] u
  std::vector<float> probabilities;   // [B,P] routing probabilities
  std::vector<int32_t> order;         // [B,T] expert l*N+i of each step
  std::vector<float> coverage;        // [B,T+1] after each step
  std::vector<float> soft;            // [B,T,L*N] relaxed choice, 0 elsewhere
  std::vector<float> weight;          // [B,T] w
  std::vector<int64_t> position;      // [B,T]
  std::vector<int64_t> expert_begin;  // [L*N+1] ranges of the sorted buffers
  std::vector<float> read;            // sorted [.,d] the stream as it was read
  std::vector<float> read_stats;      // sorted [.,2]
  std::vector<float> normal;          // sorted [.,d] its LayerNorm
  std::vector<float> hidden;          // sorted [.,m] after relu
  std::vector<float> wrote;           // sorted [.,d] y, before its weight
  std::vector<float> out;             // [B,T+1,d] z_L at each step
  std::vector<float> out_stats;       // [B,T+1,2]
  std::vector<float> out_normal;      // [B,T+1,d]
  std::vector<float> logits;          // [B,T+1,C]
};

// Buffers of the backward pass, reused from batch to batch.
struct Gradients {
  std::vector<float> params;  // Layout::total; Backward adds to it

  std::vector<float> out, read, wrote, hidden, h;  // as in Unrolled
  std::vector<float> weight;                       // [B,T]
  std::vector<float> scores;                       // [B,P]
  std::vector<float> gates;                        // [L,B,N]
  std::vector<float> context;                      // [B,r]
  std::vector<float> partial;                      // sums of row blocks
};

// Starting values: up ~ N(0, 2/d), down ~ N(0, 1/m)/2, gates ~ N(0, 0.3^2),
// transitions ~ N(0, 0.5^2), stem ~ N(0, 1/in), context and head ~
// N(0, 1/(3d)); norms 1, biases 0.
std::vector<float> InitialParams(const ModelConfig& config, uint64_t seed);

// Runs stem, router, experts and head over x [B,in] (already scaled).
// Fills `u`. Uses ParallelFor; the bits do not depend on the thread count.
void Forward(const ModelConfig& config, const Layout& layout,
             std::span<const float> params, const float* x, int64_t rows,
             const UnrollOptions& options, Unrolled& u);

// Adds the gradient of a loss to g.params, given its gradient with respect to
// u.logits (dlogits, [B,T+1,C]). x and u are those of the Forward before.
void Backward(const ModelConfig& config, const Layout& layout,
              std::span<const float> params, const float* x,
              const UnrollOptions& options, const Unrolled& u,
              const float* dlogits, Gradients& g);

// Cross-entropy of each exit, weighted: loss = mean over rows of
// sum_t step_weights[t] * CE(logits[b,t], labels[b]). Writes its gradient to
// dlogits [B,T+1,C] when that is not null.
double ExitLoss(const Unrolled& u, int64_t classes, const uint8_t* labels,
                std::span<const float> step_weights, float* dlogits);

}  // namespace mre

#endif  // MRE_MODEL_NET_MRE_MLP_H_
