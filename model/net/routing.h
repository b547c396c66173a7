// Ray tracing through the stacked gates: pure functions from a row's routing
// probabilities and its active experts to firing rates, ray coverage and the
// next expert (Mixture of Raytraced Experts, arXiv 2507.12419; Ray-Tracing for
// Conditionally Activated Neural Networks, arXiv 2502.14788).
//
// A unit of ray mass enters layer 0 with the entry distribution p and moves
// from expert j of layer l-1 to layer l with row j of T_l. Mass that meets an
// inactive expert rests there: that is the expert's firing rate. Mass that
// passes all layers through active experts reaches the output: ray coverage.
//
//   flow_0 = p;  rate_l = flow_l * (1 - active_l);
//   flow_{l+1} = (flow_l * active_l) T_{l+1};  coverage = sum(flow_{L-1} *
//   active_{L-1})
#ifndef MRE_MODEL_NET_ROUTING_H_
#define MRE_MODEL_NET_ROUTING_H_

#include <cstdint>
#include <span>

namespace mre {

struct RoutingShape {
  int64_t layers = 0;
  int64_t experts = 0;  // a layer

  int64_t total() const { return layers * experts; }
  // Floats of one row's probabilities: p [N], then T_1..T_{L-1} [N,N] each.
  int64_t probabilities() const {
    return experts + (layers - 1) * experts * experts;
  }
  // Offset of T_layer within them. REQUIRES: layer >= 1.
  int64_t transition(int64_t layer) const {
    return experts + (layer - 1) * experts * experts;
  }
};

// Turns one row's gate logits into its probabilities.
// logits: [L,N] (G_l u + g_l); transitions: [L-1,N,N], the learned B_1..B_{L-1}
// one after the other; probabilities: shape.probabilities() floats.
void RoutingProbabilities(const RoutingShape& shape, const float* logits,
                          const float* transitions, float* probabilities);

// Traces the rays. active: [L*N], 1 for active experts, else 0; REQUIRES: each
// was a candidate when it became active.
// rates: [L*N], written: the firing rate of each candidate, -1 for the others.
// A candidate is an inactive expert of layer 0 or one with an active expert in
// the layer below; no mass can rest elsewhere. Returns the ray coverage.
// Cost: L * N^2 multiply-adds at most.
float TraceRays(const RoutingShape& shape, const float* probabilities,
                const uint8_t* active, float* rates);

// The candidate with the largest rate, ties going to the lowest layer, then
// the lowest index; -1 when there is none.
int64_t LargestRate(std::span<const float> rates);

// A candidate drawn with probability rate / sum of rates (Gumbel-max), as a
// pure function of `key`; -1 when there is none.
int64_t DrawByRate(std::span<const float> rates, uint64_t key);

// The key of the draw for one step of one row of a request.
uint64_t DrawKey(uint64_t seed, uint64_t row, uint64_t step);

}  // namespace mre

#endif  // MRE_MODEL_NET_ROUTING_H_
