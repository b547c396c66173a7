// How many parameters a row has used: what has to be in memory, or read from
// it, to answer that row.
#ifndef MRE_MODEL_EVAL_TOUCHED_PARAMETERS_H_
#define MRE_MODEL_EVAL_TOUCHED_PARAMETERS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/net/params.h"

namespace mre {

// A model's parameters by the moment at which a row first uses them.
struct ParameterParts {
  int64_t always = 0;           // stem, head; in an mre the routing network
  std::vector<int64_t> gate;    // [L] a stack's router, at its first layer
  std::vector<int64_t> norm;    // [L]
  std::vector<int64_t> expert;  // [L*N]
};

// Sorts the tensors of a model by their names. A tensor of no layer is used
// always. REQUIRES: `table` is that of `config`.
ParameterParts PartsOf(const ModelConfig& config, const ParamTable& table);

// Parameters that a row has used by each step 0..T. Step t+1 runs the experts
// (l*N+i) from begin[t] to begin[t+1] of `experts`; begin: [T+1].
std::vector<int64_t> TouchedParameters(const ParameterParts& parts,
                                       std::span<const int32_t> experts,
                                       std::span<const int64_t> begin);

}  // namespace mre

#endif  // MRE_MODEL_EVAL_TOUCHED_PARAMETERS_H_
