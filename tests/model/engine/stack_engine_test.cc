#include "model/engine/stack_engine.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

class StackEngineTest : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, StackEngineTest,
                         testing::Values(Kind::kTopk, Kind::kPathmoe,
                                         Kind::kAdak, Kind::kMlp),
                         [](const auto& param) {
                           return std::string(KindName(param.param));
                         });

std::shared_ptr<const PackedModel> Pack(const Model& model) {
  auto packed = PackedModel::Create(model, Precision::kF32);
  EXPECT_THAT(packed, IsOk());
  return *std::move(packed);
}

TEST_P(StackEngineTest, CostsAreThoseOfItsProducts) {
  const ModelConfig config = RandomConfigOf(GetParam(), 3);
  const Cost cost = CostOf(config);
  const uint64_t d = config.width;
  EXPECT_EQ(cost.stem, d * config.input.size());
  EXPECT_EQ(cost.expert, 2 * d * config.hidden);
  EXPECT_EQ(cost.head, d * config.classes.size());
  const bool routed = GetParam() != Kind::kMlp;
  EXPECT_EQ(cost.gate,
            routed ? d * (config.experts + config.allocations()) : 0);
  EXPECT_EQ(cost.experts_a_step, routed ? config.top_k : 1);
  EXPECT_EQ(cost.After(2) - cost.After(1),
            cost.gate + cost.experts_a_step * cost.expert + cost.head);
}

TEST_P(StackEngineTest, SampledChoicesFollowTheSeed) {
  if (GetParam() == Kind::kMlp) return;  // nothing to choose
  ModelConfig config = RandomConfigOf(GetParam(), 4);
  config.experts = 5;
  config.top_k = 1;
  config.layers = 6;
  config.sharing = 1;
  const auto engine = Engine::Create(Pack(RandomModel(config, 4)));
  Rng rng(4);
  const std::vector<float> input = RandomInput(config, rng);
  const auto order = [&](uint64_t seed) {
    std::vector<int64_t> experts;
    const int row = engine->Begin(input, {true, seed, 0});
    do {
      engine->Step({&row, 1});
      experts.push_back(engine->step_info(row).expert);
    } while (!engine->progress(row).exhausted);
    engine->End(row);
    return experts;
  };
  EXPECT_EQ(order(1), order(1));
  int different = 0;
  for (uint64_t seed = 2; seed < 12; ++seed) {
    different += order(seed) != order(1);
  }
  EXPECT_GT(different, 5);
}

// A row of an adak pays for what it ran, which its input decides.
TEST(AdakEngineTest, MacsAreThoseOfTheExpertsThatRan) {
  ModelConfig config = RandomConfigOf(Kind::kAdak, 8);
  config.experts = 5;
  config.top_k = 4;
  config.layers = 3;
  uint64_t ran = 0;
  Engine::Options options;
  options.context = &ran;
  options.on_expert_batch = [](void* context, int64_t, int64_t rows) {
    *static_cast<uint64_t*>(context) += static_cast<uint64_t>(rows);
  };
  const auto engine = Engine::Create(Pack(RandomModel(config, 8)), options);
  const Cost cost = CostOf(config);
  Rng rng(8);
  std::set<uint64_t> counts;
  for (int i = 0; i < 50; ++i) {
    const int row = engine->Begin(RandomInput(config, rng), {});
    ran = 0;
    do {
      engine->Step({&row, 1});
    } while (!engine->progress(row).exhausted);
    EXPECT_EQ(engine->progress(row).macs,
              cost.After(0) + 3 * cost.Step(0) + ran * cost.expert);
    EXPECT_GE(ran, 3u);
    EXPECT_LE(ran, 12u);
    counts.insert(ran);
    engine->End(row);
  }
  EXPECT_GT(counts.size(), 2u);
}

}  // namespace
}  // namespace mre
