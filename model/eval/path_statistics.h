// How inputs spread over the ways through a model: a path is the experts that
// an input meets one after the other.
#ifndef MRE_MODEL_EVAL_PATH_STATISTICS_H_
#define MRE_MODEL_EVAL_PATH_STATISTICS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace mre {

// Estimates from the inputs' own frequencies, in bits. They are biased where
// inputs are few: entropy cannot exceed log2(inputs), and the mutual
// information of independent positions with N and M experts in use is about
// (N-1)(M-1) / (2 ln2 inputs), not 0.
struct PathStatistics {
  int64_t length = 0;  // positions of a path
  int64_t paths = 0;   // distinct ones
  double entropy = 0;  // of whole paths
  // Between positions i and i+1: [length-1].
  std::vector<double> mutual_information;
  // The same over the smaller of the two positions' entropies: 0 when the next
  // expert does not depend on the last, 1 when one of them decides the other. 0
  // where a position always has the same expert. In an mre no expert runs
  // twice, which alone makes the next depend on the last: not to be compared
  // with a stack's.
  std::vector<double> normalised;

  // Means over the pairs; 0 when there are none.
  double mean_information() const;
  double mean_normalised() const;
};

// paths: [inputs,length]. REQUIRES: length >= 1 divides its size.
PathStatistics StatisticsOfPaths(std::span<const int32_t> paths,
                                 int64_t length);

// The first `length` of each input's `steps` experts. REQUIRES: length <=
// steps.
std::vector<int32_t> FirstSteps(std::span<const int32_t> path, int64_t steps,
                                int64_t length);

}  // namespace mre

#endif  // MRE_MODEL_EVAL_PATH_STATISTICS_H_
