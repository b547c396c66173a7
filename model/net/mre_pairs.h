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
#include <span>
#include <vector>

namespace mre {

// (row, step) pairs in order of their expert, then row, then step. `position`
// maps b*T+t to the pair's place; pairs of expert -1 have none.
struct SortedPairs {
  void Sort(std::span<const int32_t> expert, int64_t experts);

  std::vector<int64_t> position;      // [B,T]
  std::vector<int64_t> expert_begin;  // [L*N+1] ranges of the places
};

// The rivals of one batch. "Sorted" as in SortedPairs.
struct Rivals {
  bool empty() const { return expert.empty(); }

  std::vector<int32_t> expert;  // [B,T] l*N+i; -1: no second candidate
  std::vector<float> odds;      // [B,T] q
  std::vector<float> credit;    // [B,T] D
  SortedPairs sorted;
  std::vector<float> normal;  // sorted [.,d] LayerNorm of what they read
  std::vector<float> wrote;   // sorted [.,d] y
};

}  // namespace mre

#endif  // MRE_MODEL_NET_MRE_PAIRS_H_
