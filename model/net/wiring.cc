#include "model/net/wiring.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/base/rng.h"

namespace mre {
namespace {

constexpr uint64_t kLevelsStream = 1;
constexpr uint64_t kDealStream = 2;
constexpr uint64_t kInputsStream = 3;

Rng Stream(const ModelConfig& config, uint64_t stream) {
  return Rng(Mix64(static_cast<uint64_t>(config.raytracing.seed)) + stream);
}

// Calls visit(unit, level) for each unit in order, with the level that its wire
// goes to.
template <typename Visit>
void DrawLevels(const ModelConfig& config, Visit visit) {
  Rng rng = Stream(config, kLevelsStream);
  int64_t unit = 0;
  for (int64_t level = 0; level <= config.layers; ++level) {
    const int64_t last = level == 0 ? config.layers : config.layers + 1;
    const int64_t units = level == 0 ? config.raytracing.modules * config.width
                                     : config.experts * config.hidden;
    const int64_t later = last - level - 1;  // levels after the next
    for (int64_t i = 0; i < units; ++i, ++unit) {
      int64_t to = level + 1;
      if (later > 0 && rng.Next() >> 63 == 0) {
        to += 1 + static_cast<int64_t>(rng.Below(later));
      }
      visit(unit, to);
    }
  }
}

}  // namespace

std::vector<int64_t> WiresByLevel(const ModelConfig& config) {
  std::vector<int64_t> wires(config.layers + 1, 0);
  DrawLevels(config, [&](int64_t, int64_t level) { ++wires[level - 1]; });
  return wires;
}

int64_t InputsOfModule(const ModelConfig& config) {
  const double share =
      config.raytracing.sparsity * static_cast<double>(config.input.size());
  return std::max<int64_t>(1, static_cast<int64_t>(std::floor(share)));
}

Wiring::Wiring(const ModelConfig& config)
    : modules(config.raytracing.modules),
      blocks(config.total_experts()),
      module_units(config.width),
      block_units(config.hidden),
      source(units()),
      inputs(modules),
      wires(blocks),
      feeders(blocks) {
  for (int64_t unit = 0; unit < units(); ++unit) {
    source[unit] = static_cast<int32_t>(
        unit < first_unit(0) ? unit / module_units
                             : modules + (unit - first_unit(0)) / block_units);
  }
  std::vector<std::vector<int32_t>> to_layer(config.layers);
  DrawLevels(config, [&](int64_t unit, int64_t level) {
    (level <= config.layers ? to_layer[level - 1] : output)
        .push_back(static_cast<int32_t>(unit));
  });
  Rng deal = Stream(config, kDealStream);
  for (int64_t l = 0; l < config.layers; ++l) {
    deal.Shuffle(to_layer[l]);
    for (size_t k = 0; k < to_layer[l].size(); ++k) {
      const int64_t i = static_cast<int64_t>(k) % config.experts;
      wires[l * config.experts + i].push_back(to_layer[l][k]);
    }
  }
  for (int64_t e = 0; e < blocks; ++e) {
    std::sort(wires[e].begin(), wires[e].end());
    for (const int32_t unit : wires[e]) {
      // Units of one source follow each other.
      if (feeders[e].empty() || feeders[e].back() != source[unit]) {
        feeders[e].push_back(source[unit]);
      }
    }
  }
  Rng choose = Stream(config, kInputsStream);
  for (std::vector<int32_t>& seen : inputs) {
    seen.resize(config.input.size());
    std::iota(seen.begin(), seen.end(), 0);
    choose.Shuffle(seen);
    seen.resize(InputsOfModule(config));
    seen.shrink_to_fit();
    std::sort(seen.begin(), seen.end());
  }
}

}  // namespace mre
