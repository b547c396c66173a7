#include "model/net/topk.h"

#include <algorithm>

namespace mre {

void ChooseTopk(std::span<const float> score, std::span<int32_t> chosen) {
  // k is small: each round takes the best of what is left.
  for (size_t k = 0; k < chosen.size(); ++k) {
    int32_t best = -1;
    for (size_t i = 0; i < score.size(); ++i) {
      const int32_t candidate = static_cast<int32_t>(i);
      const auto end = chosen.begin() + static_cast<std::ptrdiff_t>(k);
      if (std::find(chosen.begin(), end, candidate) != end) continue;
      if (best < 0 || score[i] > score[best]) best = candidate;
    }
    chosen[k] = best;
  }
  std::sort(chosen.begin(), chosen.end());
}

void TopkWeights(std::span<const float> p, std::span<const int32_t> chosen,
                 float* weights) {
  float sum = 0;
  for (const int32_t i : chosen) sum += p[i];
  const float scale = chosen.size() == 1 ? 1 : 1 / sum;
  for (size_t k = 0; k < chosen.size(); ++k) {
    weights[k] = p[chosen[k]] * scale;
  }
}

void TopkWeightsBackward(std::span<const float> p,
                         std::span<const int32_t> chosen, const float* weights,
                         const float* dweights, float* dp) {
  if (chosen.size() == 1) {
    dp[chosen[0]] += dweights[0];
    return;
  }
  float sum = 0;
  float dot = 0;
  for (size_t k = 0; k < chosen.size(); ++k) {
    sum += p[chosen[k]];
    dot += dweights[k] * weights[k];
  }
  for (size_t k = 0; k < chosen.size(); ++k) {
    dp[chosen[k]] += (dweights[k] - dot) / sum;
  }
}

}  // namespace mre
