// How many experts of a layer a row runs, in the kind "adak" (the idea of
// Ada-K routing, Yue et al., 2025: a small allocator beside each router).
//
//   a = A f + c  [K];  k = 1 + argmax a       f: what the router reads
//
// The allocator learns from pairs. In one layer, drawn for each row, a training
// pass runs a number k of experts that is drawn too; a second pass runs
// another, k', there. In all other layers both go the model's own way. D and D'
// are what the two passes cost: the loss of the row's exits, and a price for
// each expert that it ran. The term
//
//   temperature * sigmoid((a_k - a_k') / temperature) * (D - D')
//
// with D - D' and f held fixed falls as the cheaper of the two gains on the
// other, so that a is ordered by cost in the end. Nothing else of the model
// learns from it. (The factor keeps its gradient, which is clipped with all
// others, small.)
#ifndef MRE_MODEL_NET_ALLOCATOR_H_
#define MRE_MODEL_NET_ALLOCATOR_H_

#include <cstdint>
#include <span>

namespace mre {

// Low, so that a pair that is decided soon weighs little: else a number that
// beats most others would go on gaining on the best.
inline constexpr float kAllocatorTemperature = 0.1f;

// 1 + the largest of a + temperature * noise * Gumbel: with noise 1 a draw from
// softmax(a / temperature). Ties go to the fewer experts. A pure function of
// the key.
int32_t Allocate(std::span<const float> a, float noise, uint64_t key);

// A row's pair.
struct AllocationPair {
  int64_t layer = 0;  // where the two passes differ
  int32_t k = 1;      // what they run there: k != other
  int32_t other = 1;
  double regret = 0;  // D - D'
};

// A pair without its regret; layers, and pairs of numbers in [1, most], are
// drawn alike. A pure function of the key. REQUIRES: most >= 2.
AllocationPair DrawPair(int64_t layers, int64_t most, uint64_t key);

// The pair's term. Adds its gradient, times `scale`, to da [K] where that is
// not null.
double PairLoss(const AllocationPair& pair, std::span<const float> a,
                double scale, float* da);

}  // namespace mre

#endif  // MRE_MODEL_NET_ALLOCATOR_H_
