#include "model/net/allocator.h"

#include <cmath>

#include "model/base/rng.h"

namespace mre {

int32_t Allocate(std::span<const float> a, float noise, uint64_t key) {
  int32_t best = 0;
  float best_score = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    float score = a[i];
    if (noise > 0) {
      score += kAllocatorTemperature * noise *
               static_cast<float>(ToGumbel(Mix64(key + i)));
    }
    if (i == 0 || score > best_score) {
      best = static_cast<int32_t>(i);
      best_score = score;
    }
  }
  return best + 1;
}

AllocationPair DrawPair(int64_t layers, int64_t most, uint64_t key) {
  Rng rng(key);
  AllocationPair pair;
  pair.layer = static_cast<int64_t>(rng.Below(layers));
  const auto first = static_cast<int64_t>(rng.Below(most));
  const auto apart = static_cast<int64_t>(1 + rng.Below(most - 1));
  pair.k = static_cast<int32_t>(1 + first);
  pair.other = static_cast<int32_t>(1 + (first + apart) % most);
  return pair;
}

double PairLoss(const AllocationPair& pair, std::span<const float> a,
                double scale, float* da) {
  const double gap = a[pair.k - 1] - a[pair.other - 1];
  const double q = 1 / (1 + std::exp(-gap / kAllocatorTemperature));
  if (da != nullptr) {
    const auto slope = static_cast<float>(scale * q * (1 - q) * pair.regret);
    da[pair.k - 1] += slope;
    da[pair.other - 1] -= slope;
  }
  return kAllocatorTemperature * q * pair.regret;
}

}  // namespace mre
