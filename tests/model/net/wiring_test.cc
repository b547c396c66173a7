#include "model/net/wiring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "model/base/rng.h"

namespace mre {
namespace {

ModelConfig SmallConfig(int64_t seed) {
  ModelConfig config;
  config.kind = Kind::kRaytracing;
  config.input = {{5, 5, 1}, 1, {0}, {1}};
  config.width = 8;
  config.layers = 3;
  config.experts = 4;
  config.hidden = 9;
  config.raytracing.modules = 5;
  config.raytracing.sparsity = 0.3;
  config.raytracing.seed = seed;
  config.classes = {"a", "b"};
  return config;
}

TEST(WiringTest, EveryUnitHasOneWireToALaterLevel) {
  for (int64_t seed = 0; seed < 20; ++seed) {
    const Wiring wiring(SmallConfig(seed));
    std::vector<int> wires(wiring.units());
    for (int64_t e = 0; e < wiring.blocks; ++e) {
      EXPECT_TRUE(
          std::is_sorted(wiring.wires[e].begin(), wiring.wires[e].end()));
      for (const int32_t unit : wiring.wires[e]) {
        ++wires[unit];
        EXPECT_LT(unit, wiring.first_unit(e / 4 * 4)) << "block " << e;
      }
    }
    for (const int32_t unit : wiring.output) {
      ++wires[unit];
      EXPECT_GE(unit, wiring.first_unit(0)) << "a module's";
    }
    EXPECT_THAT(wires, testing::Each(1));
  }
}

TEST(WiringTest, HalfOfTheWiresGoToTheNextLevelAndTheRestAreSpread) {
  ModelConfig config = SmallConfig(1);
  config.hidden = 500;
  const Wiring wiring(config);
  // From layer 0: to layer 1, layer 2, the output.
  int to[3] = {};
  for (int64_t e = 4; e < 12; ++e) {
    for (const int32_t unit : wiring.wires[e]) {
      const int64_t source = wiring.source[unit] - wiring.modules;
      if (source >= 0 && source < 4) ++to[e / 4 - 1];
    }
  }
  to[2] = 2000 - to[0] - to[1];
  EXPECT_NEAR(to[0], 1000, 100);
  EXPECT_NEAR(to[1], 500, 100);
}

TEST(WiringTest, BlocksOfALayerAreBalancedAndTheirSourcesListed) {
  const ModelConfig config = SmallConfig(2);
  const Wiring wiring(config);
  const std::vector<int64_t> by_level = WiresByLevel(config);
  for (int64_t e = 0; e < wiring.blocks; ++e) {
    EXPECT_EQ(static_cast<int64_t>(wiring.wires[e].size()),
              WiresOfBlock(by_level[e / 4], 4, e % 4));
    std::set<int32_t> sources;
    for (const int32_t unit : wiring.wires[e]) {
      sources.insert(wiring.source[unit]);
    }
    EXPECT_EQ(wiring.feeders[e],
              std::vector<int32_t>(sources.begin(), sources.end()));
  }
  EXPECT_EQ(by_level[3], static_cast<int64_t>(wiring.output.size()));
}

TEST(WiringTest, ModulesSeeTheirShareOfTheInput) {
  const Wiring wiring(SmallConfig(3));
  for (const std::vector<int32_t>& seen : wiring.inputs) {
    EXPECT_EQ(seen.size(), 7u);  // floor(0.3 * 25)
    EXPECT_EQ(std::set<int32_t>(seen.begin(), seen.end()).size(), 7u);
    EXPECT_LT(seen.back(), 25);
  }
  EXPECT_NE(wiring.inputs[0], wiring.inputs[1]);
}

// A checkpoint holds only the seed: the wiring that it means may never change.
TEST(WiringTest, IsTheSameForEver) {
  const Wiring wiring(SmallConfig(7));
  uint64_t print = 0;
  const auto add = [&](const std::vector<int32_t>& items) {
    for (const int32_t item : items) print = Mix64(print ^ item);
    print = Mix64(print + 1);
  };
  for (const auto& seen : wiring.inputs) add(seen);
  for (const auto& wires : wiring.wires) add(wires);
  add(wiring.output);
  EXPECT_EQ(print, 4493711916351711377u);
  EXPECT_THAT(wiring.wires[0], testing::ElementsAre(20, 30, 32, 39));
}

}  // namespace
}  // namespace mre
