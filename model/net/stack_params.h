// The parts of the kinds that are a residual stack of layers: "topk",
// "pathmoe", "adak", "mlp" and "cnn" (names: model/README.md).
#ifndef MRE_MODEL_NET_STACK_PARAMS_H_
#define MRE_MODEL_NET_STACK_PARAMS_H_

#include <cstdint>
#include <vector>

#include "model/net/expert_layer.h"
#include "model/net/head.h"
#include "model/net/params.h"
#include "model/net/stem.h"

namespace mre {

// A router or an allocator (allocator.h): logits = W features(LayerNorm_l(z_l))
// + b (features.h).
struct Gate {
  Slot weight, bias;  // router: [N,F], [N]; allocator: [k,F], [k]
};

struct StackParams {
  // REQUIRES: Validate(config).ok(), and the kind is one of the above.
  // `precision` is that of convolutions.
  explicit StackParams(const ModelConfig& config,
                       Precision precision = Precision::kF32);

  // The router of a layer; null where there is nothing to choose.
  const Gate* gate(int64_t layer) const {
    return gates.empty() ? nullptr : &gates[layer / sharing];
  }

  // What says how many experts of a layer run; null where that is fixed.
  const Gate* allocator(int64_t layer) const {
    return allocators.empty() ? nullptr : &allocators[layer];
  }

  const int64_t sharing;  // layers a router serves
  ParamTable table;
  Stem stem;
  std::vector<Gate> gates;       // one for each `sharing` layers
  std::vector<Gate> allocators;  // one for each layer
  std::vector<ExpertLayer> layers;
  Head head;
};

// Starting values: those of the parts; gates ~ N(0, 0.02^2), or N(0, 0.2^2)
// in a pathmoe, where a router that serves several layers else collapses (also
// where it serves one, so that they compare); allocators 0.
std::vector<float> InitialStackParams(const ModelConfig& config, uint64_t seed);

}  // namespace mre

#endif  // MRE_MODEL_NET_STACK_PARAMS_H_
