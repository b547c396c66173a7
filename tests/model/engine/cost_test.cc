#include "model/engine/cost.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "model/net/mre_params.h"
#include "model/net/raytracing_params.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

TEST(CostTest, CountsTheShippedShapeByHand) {
  const Cost cost = CostOf(FashionConfig());
  // 784x64, then 64x32 and 32x(4*8) of the router.
  EXPECT_EQ(cost.stem, 50176u + 2048u + 1024u);
  EXPECT_EQ(cost.expert, 2u * 64u * 64u);
  EXPECT_EQ(cost.head, 640u);
}

// Every weight of a product is multiplied once, so costs and the sizes of the
// weights must agree.
TEST(CostTest, IsTheSizeOfTheWeightsThatAStepUses) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    const ModelConfig config = RandomConfigOf(Kind::kMre, seed);
    const MreParams parts(config);
    const Cost cost = CostOf(config);
    uint64_t stem = parts.stem.weight.size + parts.router.context_weight.size;
    for (int64_t l = 0; l < config.layers; l += config.sharing) {
      stem += parts.router.gate_weight[l].size;
    }
    EXPECT_EQ(cost.stem, stem);
    for (int64_t e = 0; e < config.total_experts(); ++e) {
      EXPECT_EQ(cost.expert,
                static_cast<uint64_t>(parts.expert(e).up_weight.size +
                                      parts.expert(e).down_weight.size));
    }
    EXPECT_EQ(cost.head, static_cast<uint64_t>(parts.head.weight.size));
  }
}

TEST(CostTest, AFrontCountsEveryPositionOfEachLayer) {
  ModelConfig config = FashionConfig();
  config.kind = Kind::kMlp;
  config.experts = 1;
  config.expert = ExpertKind::kConv;
  config.patch = {3, 2, 1};
  config.front = {{8, {3, 1, 1}}, {16, {3, 2, 1}}};
  EXPECT_EQ(CostOf(config).stem, 28u * 28u * 8u * 9u +
                                     14u * 14u * 16u * 9u * 8u +
                                     7u * 7u * 64u * 9u * 16u);
}

TEST(CostTest, ATextsStemMultipliesTheVectorsOfItsWindow) {
  ModelConfig config = FashionConfig();
  config.kind = Kind::kTopk;
  config.input = {{1, 32, 1}, 1, {0}, {1}};
  config.embedding = 16;
  EXPECT_EQ(CostOf(config).stem, 32u * 16u * 64u);
}

TEST(CostTest, StepsAddAnExpertAndAHeadEach) {
  const Cost cost = {100, 30, 7};
  EXPECT_EQ(cost.OneStep(), 37u);
  EXPECT_EQ(cost.After(0), 107u);
  for (uint64_t step = 0; step < 40; ++step) {
    EXPECT_EQ(cost.After(step + 1), cost.After(step) + cost.OneStep());
  }
}

// Which blocks of a raytracing wake is not known before: a step may run all.
TEST(CostTest, NoBlockRunsInStepZeroAndAllMayInAnyOther) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const ModelConfig config = RandomConfigOf(Kind::kRaytracing, seed);
    const RaytracingParams parts(config);
    const Cost cost = CostOf(config);
    uint64_t stem = 0;
    for (const RayLinear& module : parts.modules) stem += module.weight.size;
    uint64_t blocks = 0;
    for (const RayLinear& block : parts.blocks) blocks += block.weight.size;
    const uint64_t head = parts.head.weight.size;
    EXPECT_EQ(cost.After(0), stem + head);
    EXPECT_EQ(cost.OneStep(), blocks + head);
    for (uint64_t step = 1; step < 5; ++step) {
      EXPECT_EQ(cost.After(step), stem + head + step * (blocks + head));
    }
  }
}

TEST(CostTest, FitsForTheLargestModelAllowed) {
  ModelConfig config;
  config.input = {{1 << 12, 1 << 12, 1}, 1, {0}, {1}};
  config.width = config.hidden = config.context = kMaxDimension;
  config.layers = kMaxLayers;
  config.experts = kMaxExpertsPerLayer;
  config.classes.resize(kMaxDimension);
  const Cost cost = CostOf(config);
  EXPECT_EQ(cost.stem,
            (uint64_t{1} << 40) + (uint64_t{1} << 32) + (uint64_t{1} << 34));
  EXPECT_EQ(cost.expert, uint64_t{1} << 33);
  EXPECT_EQ(cost.head, uint64_t{1} << 32);
}

}  // namespace
}  // namespace mre
