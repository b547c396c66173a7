#include "model/eval/touched_parameters.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace mre {
namespace {

// "router.{g}.x" and "layers.{l}..." -> the number; -1 for another prefix.
int64_t NumberAfter(absl::string_view prefix,
                    const std::vector<absl::string_view>& words) {
  int64_t number = -1;
  if (words.size() < 2 || words[0] != prefix) return -1;
  return absl::SimpleAtoi(words[1], &number) ? number : -1;
}

}  // namespace

ParameterParts PartsOf(const ModelConfig& config, const ParamTable& table) {
  ParameterParts parts;
  parts.gate.resize(config.layers);
  parts.norm.resize(config.layers);
  parts.expert.resize(config.total_experts());
  for (const ParamSpec& spec : table.specs) {
    const std::vector<absl::string_view> words = absl::StrSplit(spec.name, '.');
    const int64_t layer = NumberAfter("layers", words);
    const int64_t router = NumberAfter("router", words);
    int64_t expert = -1;
    if (layer >= 0 && words.size() > 3 && words[2] == "experts" &&
        absl::SimpleAtoi(words[3], &expert)) {
      parts.expert[layer * config.experts + expert] += spec.size;
    } else if (layer >= 0) {
      parts.norm[layer] += spec.size;
    } else if (router >= 0 && config.kind != Kind::kMre) {
      parts.gate[router * config.sharing] += spec.size;
    } else {
      parts.always += spec.size;
    }
  }
  return parts;
}

std::vector<int64_t> TouchedParameters(const ParameterParts& parts,
                                       std::span<const int32_t> experts,
                                       std::span<const int64_t> begin) {
  const int64_t layers = static_cast<int64_t>(parts.norm.size());
  const int64_t n = static_cast<int64_t>(parts.expert.size()) / layers;
  std::vector<uint8_t> layer_used(layers);
  std::vector<uint8_t> expert_used(parts.expert.size());
  std::vector<int64_t> touched = {parts.always};
  for (size_t t = 0; t + 1 < begin.size(); ++t) {
    touched.push_back(touched.back());
    for (const int32_t e : experts.subspan(begin[t], begin[t + 1] - begin[t])) {
      if (expert_used[e] == 0) touched.back() += parts.expert[e];
      if (layer_used[e / n] == 0) {
        touched.back() += parts.norm[e / n] + parts.gate[e / n];
      }
      expert_used[e] = 1;
      layer_used[e / n] = 1;
    }
  }
  return touched;
}

}  // namespace mre
