// The model kinds: which parts a config asks for. To add one, see
// model/README.md.
#ifndef MRE_MODEL_NET_KINDS_H_
#define MRE_MODEL_NET_KINDS_H_

#include <memory>

#include "model/net/config.h"
#include "model/net/network.h"
#include "model/net/params.h"

namespace mre {

// REQUIRES: Validate(config).ok().
// `precision` is that of convolutions, whose sums and weights stay f32.
std::unique_ptr<Network> NewNetwork(const ModelConfig& config,
                                    Precision precision = Precision::kF32);

// Names, shapes and places of a model's parameters. REQUIRES:
// Validate(config).ok(). Takes memory in proportion to layers * experts.
ParamTable ParamsOf(const ModelConfig& config);

}  // namespace mre

#endif  // MRE_MODEL_NET_KINDS_H_
