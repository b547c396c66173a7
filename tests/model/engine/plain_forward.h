// A whole forward pass of one row, written from the model's equations with
// plain loops in double precision: the oracle of the engine's tests. It shares
// nothing with the engine but the layout of the parameters.
#ifndef MRE_TESTS_MODEL_ENGINE_PLAIN_FORWARD_H_
#define MRE_TESTS_MODEL_ENGINE_PLAIN_FORWARD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/mre_params.h"

namespace mre {

struct PlainStep {
  std::vector<double> probabilities;
  std::vector<double> rates;  // of the candidates; -1 for the others
  double coverage = 0;
};

// Step 0 and one step for each expert of `order`.
std::vector<PlainStep> PlainForward(const Model& model,
                                    std::span<const float> input,
                                    std::span<const int64_t> order);

}  // namespace mre

#endif  // MRE_TESTS_MODEL_ENGINE_PLAIN_FORWARD_H_
