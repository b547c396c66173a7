// Means, spreads and ranks.
#ifndef MRE_MODEL_EVAL_STATISTICS_H_
#define MRE_MODEL_EVAL_STATISTICS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mre {

struct Spread {
  double mean = 0;
  double deviation = 0;  // of a sample: divided by n - 1; 0 for one value
  double least = 0;
  double most = 0;
};
// REQUIRES: values is not empty.
Spread SpreadOf(std::span<const double> values);

// Spearman's rank correlation; equal values share the mean of their ranks. None
// when all values of a or of b are equal. REQUIRES: a.size() == b.size().
std::optional<double> RankCorrelation(std::span<const double> a,
                                      std::span<const double> b);

// Sorts the inputs by `key` (ties: as they come) and cuts them into `parts` of
// equal size, up to one; the mean of `value` in each. REQUIRES: parts >= 1,
// key.size() == value.size() >= parts.
std::vector<double> MeansByRank(std::span<const double> key,
                                std::span<const double> value, int64_t parts);

}  // namespace mre

#endif  // MRE_MODEL_EVAL_STATISTICS_H_
