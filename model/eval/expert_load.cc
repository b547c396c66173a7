#include "model/eval/expert_load.h"

#include <algorithm>
#include <numeric>

namespace mre {

ExpertLoad LoadOf(std::span<const double> shares) {
  ExpertLoad load;
  load.least = *std::min_element(shares.begin(), shares.end());
  load.largest = *std::max_element(shares.begin(), shares.end());
  load.mean = std::accumulate(shares.begin(), shares.end(), 0.0) /
              static_cast<double>(shares.size());
  if (load.mean > 0) load.max_over_mean = load.largest / load.mean;
  load.dead = std::count(shares.begin(), shares.end(), 0.0);
  return load;
}

std::vector<double> SharesOf(std::span<const int32_t> experts, int64_t total,
                             int64_t inputs) {
  std::vector<double> shares(total);
  for (const int32_t expert : experts) ++shares[expert];
  for (double& share : shares) share /= static_cast<double>(inputs);
  return shares;
}

}  // namespace mre
