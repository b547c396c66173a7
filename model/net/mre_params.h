// The parts of the kind "mre" and their parameters (names: model/README.md).
#ifndef MRE_MODEL_NET_MRE_PARAMS_H_
#define MRE_MODEL_NET_MRE_PARAMS_H_

#include <vector>

#include "model/net/expert_layer.h"
#include "model/net/head.h"
#include "model/net/norm.h"
#include "model/net/params.h"
#include "model/net/stem.h"

namespace mre {

// The routing network's tensors.
struct MreRouterParams {
  MreRouterParams(const ModelConfig& config, ParamTable& table);

  Slot context_weight, context_bias;  // [r,F], [r]
  // Of each layer: that of its group of `sharing` layers.
  std::vector<Slot> gate_weight;  // L times [N,r]
  std::vector<Slot> gate_bias;    // L times [N]
  std::vector<Slot> transition;   // L times [N,N]; that of layer 0 is empty
};

struct MreParams {
  // REQUIRES: Validate(config).ok().
  // `precision` is that of convolutions.
  explicit MreParams(const ModelConfig& config,
                     Precision precision = Precision::kF32);

  // Expert l*N+i.
  const Expert& expert(int64_t e) const {
    const int64_t n = static_cast<int64_t>(layers[0].experts.size());
    return layers[e / n].experts[e % n];
  }

  ParamTable table;
  Stem stem;
  MreRouterParams router;
  std::vector<ExpertLayer> layers;
  Head head;
};

// Starting values: those of stem, experts and head; context ~ N(0, 1/(3F)),
// gates ~ N(0, 0.3^2), transitions ~ N(0, 0.5^2), their biases 0.
std::vector<float> InitialMreParams(const ModelConfig& config, uint64_t seed);

}  // namespace mre

#endif  // MRE_MODEL_NET_MRE_PARAMS_H_
