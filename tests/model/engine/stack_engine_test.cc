#include "model/engine/stack_engine.h"

#include <algorithm>
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
                                         Kind::kMlp),
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
  EXPECT_EQ(cost.gate, routed ? d * config.experts : 0);
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

}  // namespace
}  // namespace mre
