#include "model/net/expert_sort.h"

#include <cstddef>

namespace mre {

void ExpertSort::Sort(std::span<const int32_t> expert, int64_t experts) {
  expert_begin.assign(experts + 1, 0);
  for (const int32_t e : expert) {
    if (e >= 0) ++expert_begin[e + 1];
  }
  for (int64_t e = 0; e < experts; ++e) {
    expert_begin[e + 1] += expert_begin[e];
  }
  next_.assign(expert_begin.begin(), expert_begin.end() - 1);
  position.resize(expert.size());
  for (size_t i = 0; i < expert.size(); ++i) {
    position[i] = expert[i] < 0 ? -1 : next_[expert[i]]++;
  }
}

}  // namespace mre
