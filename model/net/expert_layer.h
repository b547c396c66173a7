// One layer's experts and the LayerNorm that they share.
#ifndef MRE_MODEL_NET_EXPERT_LAYER_H_
#define MRE_MODEL_NET_EXPERT_LAYER_H_

#include <vector>

#include "absl/strings/str_cat.h"
#include "model/net/expert.h"
#include "model/net/norm.h"

namespace mre {

struct ExpertLayer {
  // layers.{l}.norm and layers.{l}.experts.{i}
  ExpertLayer(const ModelConfig& config, Precision precision, int64_t layer,
              ParamTable& table)
      : norm(config, absl::StrCat("layers.", layer, ".norm"), table) {
    for (int64_t i = 0; i < config.experts; ++i) {
      experts.emplace_back(config, precision,
                           absl::StrCat("layers.", layer, ".experts.", i),
                           table);
    }
    for (const auto tensor : {&Expert::up_weight, &Expert::up_bias,
                              &Expert::down_weight, &Expert::down_bias}) {
      std::vector<Slot>& family = table.families.emplace_back();
      for (const Expert& expert : experts) family.push_back(expert.*tensor);
    }
  }

  Norm norm;
  std::vector<Expert> experts;
};

inline std::vector<ExpertLayer> ExpertLayers(const ModelConfig& config,
                                             Precision precision,
                                             ParamTable& table) {
  std::vector<ExpertLayer> layers;
  for (int64_t l = 0; l < config.layers; ++l) {
    layers.emplace_back(config, precision, l, table);
  }
  return layers;
}

}  // namespace mre

#endif  // MRE_MODEL_NET_EXPERT_LAYER_H_
