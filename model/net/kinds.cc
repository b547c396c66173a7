#include "model/net/kinds.h"

#include "model/net/mre.h"

namespace mre {

std::unique_ptr<Network> NewNetwork(const ModelConfig& config) {
  return std::make_unique<MreNetwork>(config);
}

ParamTable ParamsOf(const ModelConfig& config) {
  return MreParams(config).table;
}

}  // namespace mre
