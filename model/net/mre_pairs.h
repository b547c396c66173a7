// Counterfactual pairs: how the router of an "mre" learns which of two experts
// lowers the loss more. Part of mre.
//
// At every step t a second candidate c', the rival of the one that runs, c, is
// drawn from the same firing rates r (Gumbel-max, noise 1) and run forward
// only, on what step t reads:
//
//   D_t = a_{t+1} (CE(head(z_L + y_c)) - CE(head(z_L + y_c')))     the credit
//   q_t = r_c / (r_c + r_c')                                        the odds
//   loss += mean over rows of sum_t q_t D_t
//
// z_L is the output stream before step t, a_{t+1} the weight of the exit after
// it. D_t is held constant, so the gradient moves rate to the candidate with
// the lower loss. Experts enter with weight 1.
#ifndef MRE_MODEL_NET_MRE_PAIRS_H_
#define MRE_MODEL_NET_MRE_PAIRS_H_

#include <cstdint>
#include <vector>

#include "model/net/expert_sort.h"

namespace mre {

// The rivals of one batch. "Sorted" buffers hold the (row, step)
// pairs b*T+t as `sorted` has them.
struct Rivals {
  bool empty() const { return expert.empty(); }

  std::vector<int32_t> expert;  // [B,T] l*N+i; -1: no second candidate
  std::vector<float> odds;      // [B,T] q
  std::vector<float> credit;    // [B,T] D
  ExpertSort sorted;
  std::vector<float> normal;  // sorted [.,d] LayerNorm of what they read
  std::vector<float> wrote;   // sorted [.,d] y
};

}  // namespace mre

#endif  // MRE_MODEL_NET_MRE_PAIRS_H_
