// The routing network of the kind "mre": context, gates, order of experts; and
// the gradients that teach it, straight-through or of pairs. Part of mre.
#ifndef MRE_MODEL_NET_MRE_ROUTER_H_
#define MRE_MODEL_NET_MRE_ROUTER_H_

#include "model/net/mre.h"

namespace mre {

// u = tanh(Wc h + bc); p and T from the gates; then the order of experts. From
// u.h fills context, probabilities, order, coverage, soft and weight; with
// pairs, the rivals' experts and odds in place of soft. REQUIRES: options.steps
// <= L * N.
void RouteForward(const ModelConfig& config, const MreRouterParams& parts,
                  std::span<const float> params, const UnrollOptions& options,
                  Unrolled& u);

// From g.weight (the loss's gradient with respect to each expert's weight w),
// or from the rivals' credits, adds the routing network's gradients to
// `gradient` and its part of dh to g.h.
void RouteBackward(const ModelConfig& config, const MreRouterParams& parts,
                   std::span<const float> params, const UnrollOptions& options,
                   const Unrolled& u, Gradients& g, std::span<float> gradient);

}  // namespace mre

#endif  // MRE_MODEL_NET_MRE_ROUTER_H_
