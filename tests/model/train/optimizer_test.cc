#include "model/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/base/rng.h"
#include "model/math/parallel.h"
#include "model/net/mre_params.h"

namespace mre {
namespace {

MreParams SmallModel() {
  ModelConfig config;
  config.input = {{4, 4, 1}, 1, {0}, {1}};
  config.width = 8;
  config.classes = {"a", "b"};
  return MreParams(config);
}

TEST(AdamWTest, TwoStepsByHand) {
  const MreParams parts = SmallModel();
  AdamWOptions options;
  options.weight_decay = 0.5;
  options.router_rate = 0.1;
  std::vector<float> params(parts.table.total, 1.0f);
  AdamWState state;
  const double rate = 0.01;
  AdamWStep(options, parts.table, rate,
            std::vector<float>(parts.table.total, 2.0f), state, params);
  // The first step is rate * sign(gradient), after the decay.
  const double matrix1 = 1 - rate * 0.5 - rate;
  EXPECT_NEAR(params[parts.stem.weight.offset], matrix1, 1e-6);
  EXPECT_NEAR(params[parts.stem.bias.offset], 1 - rate, 1e-6);
  EXPECT_NEAR(params[parts.layers[0].norm.weight.offset], 1 - rate, 1e-6);
  EXPECT_NEAR(params[parts.router.gate_weight[1].offset], 1 - 0.1 * rate, 1e-6);
  AdamWStep(options, parts.table, rate,
            std::vector<float>(parts.table.total, -1.0f), state, params);
  // m = (.9 * .2 - .1) / (1 - .81), v = (.999 * .004 + .001) / (1 - .998001).
  const double step = rate * (0.08 / 0.19) / std::sqrt(0.004996 / 0.001999);
  EXPECT_NEAR(params[parts.stem.weight.offset],
              matrix1 * (1 - rate * 0.5) - step, 1e-6);
  EXPECT_NEAR(params[parts.stem.bias.offset], 1 - rate - step, 1e-6);
  EXPECT_EQ(state.steps, 2);
}

TEST(AdamWTest, EveryParameterMovesWhateverTheThreadCount) {
  const MreParams parts = SmallModel();
  Rng rng(1);
  std::vector<float> gradient(parts.table.total);
  for (float& g : gradient) g = static_cast<float>(rng.Gaussian());
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 3}) {
    SetThreads(threads);
    std::vector<float> params(parts.table.total, 1.0f);
    AdamWState state;
    for (int i = 0; i < 3; ++i) {
      AdamWStep({}, parts.table, 0.01, gradient, state, params);
    }
    for (const float p : params) EXPECT_NE(p, 1.0f);
    results.push_back(params);
  }
  EXPECT_EQ(results[0], results[1]);
}

// The sums of a table's tensors and of shared ones, trained apart, are what
// training with a shared rate gives.
TEST(AdamWTest, SharedPartIsASecondSetOfParameters) {
  const MreParams parts = SmallModel();
  const ParamTable& table = parts.table;
  Rng rng(1);
  AdamWOptions options;
  options.weight_decay = 0;
  std::vector<float> own(table.total, 1.0f);
  std::vector<float> whole = own;
  AdamWState own_state, state;
  // One tensor a family, as a model of its own.
  ParamTable shared_table;
  for (const std::vector<Slot>& family : table.families) {
    shared_table.Append("shared", {family[0].size}, ParamGroup::kVector);
  }
  ASSERT_EQ(shared_table.total, SharedSize(table));
  std::vector<float> shared(shared_table.total, 0.0f);
  AdamWState shared_state;
  for (int step = 0; step < 3; ++step) {
    std::vector<float> gradient(table.total);
    for (float& g : gradient) g = static_cast<float>(rng.Gaussian());
    std::vector<float> sums(shared_table.total, 0.0f);
    for (size_t f = 0; f < table.families.size(); ++f) {
      for (const Slot& slot : table.families[f]) {
        for (int64_t i = 0; i < slot.size; ++i) {
          sums[shared_table.specs[f].offset + i] += gradient[slot.offset + i];
        }
      }
    }
    options.shared_rate = 0;
    AdamWStep(options, table, 0.01, gradient, own_state, own);
    AdamWStep(options, shared_table, 0.005, sums, shared_state, shared);
    options.shared_rate = 0.5;
    AdamWStep(options, table, 0.01, gradient, state, whole);
  }
  std::vector<float> expected = own;
  for (size_t f = 0; f < table.families.size(); ++f) {
    for (const Slot& slot : table.families[f]) {
      for (int64_t i = 0; i < slot.size; ++i) {
        expected[slot.offset + i] += shared[shared_table.specs[f].offset + i];
      }
    }
  }
  for (int64_t i = 0; i < table.total; ++i) {
    EXPECT_NEAR(whole[i], expected[i], 1e-6) << i;
  }
  EXPECT_NE(whole, own);
}

TEST(ClipByNormTest, ScalesDownToTheLimitOnly) {
  std::vector<float> gradient(40000, 0.0f);
  gradient[0] = 3;
  gradient[39999] = 4;
  EXPECT_NEAR(ClipByNorm(10, gradient), 5, 1e-6);
  EXPECT_EQ(gradient[0], 3);
  EXPECT_NEAR(ClipByNorm(0, gradient), 5, 1e-6);
  EXPECT_EQ(gradient[39999], 4);
  EXPECT_NEAR(ClipByNorm(1, gradient), 5, 1e-6);
  EXPECT_NEAR(gradient[0], 0.6, 1e-6);
  EXPECT_NEAR(gradient[39999], 0.8, 1e-6);
}

TEST(UpdateAverageTest, ForgetsItsStartThenFollowsSlowly) {
  std::vector<float> average = {0};
  UpdateAverage(0.99, 0, std::vector<float>{1}, average);
  EXPECT_NEAR(average[0], 0.9, 1e-6);
  UpdateAverage(0.99, 1 << 20, std::vector<float>{2}, average);
  EXPECT_NEAR(average[0], 0.9 + 0.01 * 1.1, 1e-6);
}

}  // namespace
}  // namespace mre
