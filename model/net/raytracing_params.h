// The parts of the kind "raytracing" and their parameters. What feeds what is
// in wiring.h.
#ifndef MRE_MODEL_NET_RAYTRACING_PARAMS_H_
#define MRE_MODEL_NET_RAYTRACING_PARAMS_H_

#include <cstdint>
#include <vector>

#include "model/net/params.h"

namespace mre {

// One linear product of a part: [out,in] and [out].
struct RayLinear {
  Slot weight, bias;
  int64_t in = 0;
};

struct RaytracingParams {
  // REQUIRES: Validate(config).ok().
  explicit RaytracingParams(const ModelConfig& config);

  ParamTable table;
  std::vector<RayLinear> modules;  // modules.{m} [units, inputs it sees]
  std::vector<RayLinear> blocks;   // layers.{l}.experts.{i} [n, wires]
  RayLinear head;                  // [C, wires of the output]
};

// Starting values: modules ~ N(0, 0.16/inputs), whose shares are then spread
// rather than on one unit; blocks ~ N(0, 1), head
// ~ N(0, 0.1^2), biases 0.
std::vector<float> InitialRaytracingParams(const ModelConfig& config,
                                           uint64_t seed);

}  // namespace mre

#endif  // MRE_MODEL_NET_RAYTRACING_PARAMS_H_
