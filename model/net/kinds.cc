#include "model/net/kinds.h"

#include "model/net/mre.h"
#include "model/net/raytracing.h"
#include "model/net/stack.h"

namespace mre {

std::unique_ptr<Network> NewNetwork(const ModelConfig& config,
                                    Precision precision) {
  switch (config.kind) {
    case Kind::kMre:
      return std::make_unique<MreNetwork>(config, precision);
    case Kind::kTopk:
    case Kind::kPathmoe:
    case Kind::kAdak:
    case Kind::kMlp:
    case Kind::kCnn:
      return std::make_unique<StackNetwork>(config, precision);
    case Kind::kRaytracing:
      return std::make_unique<RaytracingNetwork>(config);
  }
  return nullptr;
}

ParamTable ParamsOf(const ModelConfig& config) {
  switch (config.kind) {
    case Kind::kMre:
      return MreParams(config).table;
    case Kind::kTopk:
    case Kind::kPathmoe:
    case Kind::kAdak:
    case Kind::kMlp:
    case Kind::kCnn:
      return StackParams(config).table;
    case Kind::kRaytracing:
      return RaytracingParams(config).table;
  }
  return {};
}

}  // namespace mre
