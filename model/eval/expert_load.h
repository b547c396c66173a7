// How evenly experts are used.
#ifndef MRE_MODEL_EVAL_EXPERT_LOAD_H_
#define MRE_MODEL_EVAL_EXPERT_LOAD_H_

#include <cstdint>
#include <span>
#include <vector>

namespace mre {

// Of shares of the inputs that ran each expert.
struct ExpertLoad {
  double least = 0;
  double largest = 0;
  double mean = 0;
  double max_over_mean = 0;  // 1: all alike; 0 when no expert ran
  int64_t dead = 0;          // experts that no input ran
};

// REQUIRES: shares is not empty.
ExpertLoad LoadOf(std::span<const double> shares);

// Share of `inputs` that ran each of `total` experts. experts: every run of
// one, an input's without repeats.
std::vector<double> SharesOf(std::span<const int32_t> experts, int64_t total,
                             int64_t inputs);

}  // namespace mre

#endif  // MRE_MODEL_EVAL_EXPERT_LOAD_H_
