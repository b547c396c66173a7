#include "model/eval/touched_parameters.h"

#include <gtest/gtest.h>

#include <vector>

#include "model/net/kinds.h"
#include "model/net/wiring.h"

namespace mre {
namespace {

// 4 inputs, width 3, hidden 5, 2 layers of 2 experts, 2 classes.
ModelConfig SmallConfig(Kind kind) {
  ModelConfig config;
  config.kind = kind;
  config.input = {.shape = {2, 2, 1}, .mean = {0}, .std = {1}};
  config.width = 3;
  config.hidden = 5;
  config.layers = 2;
  config.experts = kind == Kind::kMlp ? 1 : 2;
  config.context = 2;
  config.classes = {"a", "b"};
  return config;
}

constexpr int64_t kStemAndHead = (3 * 4 + 3) + (3 + 3) + (2 * 3 + 2);
constexpr int64_t kNorm = 3 + 3;
constexpr int64_t kExpert = (5 * 3 + 5) + (3 * 5 + 3);

std::vector<int64_t> Touched(const ModelConfig& config,
                             const std::vector<int32_t>& experts,
                             int64_t experts_a_step) {
  std::vector<int64_t> begin;
  const int64_t size = static_cast<int64_t>(experts.size());
  for (int64_t at = 0; at <= size; at += experts_a_step) begin.push_back(at);
  return TouchedParameters(PartsOf(config, ParamsOf(config)), experts, begin);
}

TEST(TouchedParametersTest, AnMreNeedsItsRoutingNetworkFromTheStart) {
  const int64_t router = (2 * 3 + 2) + 2 * (2 * 2 + 2) + 2 * 2;
  const int64_t first = kStemAndHead + router;
  // Two experts of layer 0 share its norm.
  EXPECT_EQ(Touched(SmallConfig(Kind::kMre), {0, 1, 3}, 1),
            (std::vector<int64_t>{first, first + kNorm + kExpert,
                                  first + kNorm + 2 * kExpert,
                                  first + 2 * kNorm + 3 * kExpert}));
}

TEST(TouchedParametersTest, AStackMeetsARouterInEachLayer) {
  const int64_t step = (2 * 3 + 2) + kNorm + 2 * kExpert;
  ModelConfig config = SmallConfig(Kind::kTopk);
  config.top_k = 2;
  EXPECT_EQ(Touched(config, {0, 1, 2, 3}, 2),
            (std::vector<int64_t>{kStemAndHead, kStemAndHead + step,
                                  kStemAndHead + 2 * step}));
}

TEST(TouchedParametersTest, ASharedRouterCountsOnce) {
  const int64_t gate = 2 * 3 + 2;
  ModelConfig config = SmallConfig(Kind::kPathmoe);
  config.sharing = 2;
  EXPECT_EQ(
      Touched(config, {0, 2}, 1),
      (std::vector<int64_t>{kStemAndHead, kStemAndHead + gate + kNorm + kExpert,
                            kStemAndHead + gate + 2 * kNorm + 2 * kExpert}));
}

TEST(TouchedParametersTest, AnAdakMeetsAnAllocatorWithEachRouter) {
  ModelConfig config = SmallConfig(Kind::kAdak);
  config.experts = 3;
  config.top_k = 2;
  const int64_t layer = (3 * 3 + 3) + (2 * 3 + 2) + kNorm;
  // One expert of layer 0, then two of layer 1.
  const std::vector<int32_t> experts = {1, 3, 5};
  EXPECT_EQ(TouchedParameters(PartsOf(config, ParamsOf(config)), experts,
                              std::vector<int64_t>{0, 1, 3}),
            (std::vector<int64_t>{kStemAndHead, kStemAndHead + layer + kExpert,
                                  kStemAndHead + 2 * layer + 3 * kExpert}));
}

TEST(TouchedParametersTest, ARaytracingNeedsItsModulesFromTheStart) {
  ModelConfig config = SmallConfig(Kind::kRaytracing);
  config.raytracing.modules = 2;
  config.raytracing.sparsity = 0.5;  // a module sees 2 of the 4 inputs
  ASSERT_TRUE(Validate(config).ok());
  const Wiring wiring(config);
  const auto block = [&](int64_t e) {
    return 5 * static_cast<int64_t>(wiring.wires[e].size()) + 5;
  };
  const int64_t start =
      2 * (3 * 2 + 3) + (2 * static_cast<int64_t>(wiring.output.size()) + 2);
  // Block 1 wakes, none, then blocks 0 and 3.
  const std::vector<int32_t> woken = {1, 0, 3};
  EXPECT_EQ(TouchedParameters(PartsOf(config, ParamsOf(config)), woken,
                              std::vector<int64_t>{0, 1, 1, 3}),
            (std::vector<int64_t>{start, start + block(1), start + block(1),
                                  start + block(1) + block(0) + block(3)}));
}

TEST(TouchedParametersTest, AllExpertsAreAllParameters) {
  for (const Kind kind :
       {Kind::kMre, Kind::kTopk, Kind::kAdak, Kind::kMlp, Kind::kRaytracing}) {
    ModelConfig config = SmallConfig(kind);
    config.top_k = config.experts;
    std::vector<int32_t> all;
    for (int32_t e = 0; e < config.total_experts(); ++e) all.push_back(e);
    EXPECT_EQ(Touched(config, all, 1).back(), ParamsOf(config).total)
        << KindName(kind);
  }
}

}  // namespace
}  // namespace mre
