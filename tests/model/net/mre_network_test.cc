#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "model/math/parallel.h"
#include "model/net/mre.h"
#include "tests/model/net/gradient_check.h"
#include "tests/model/net/mre_problem.h"

namespace mre {
namespace {

class MreNetworkTest : public ::testing::TestWithParam<ModelConfig> {};

INSTANTIATE_TEST_SUITE_P(
    Models, MreNetworkTest,
    ::testing::Values(SmallConfig(Activation::kNone),
                      SmallConfig(Activation::kRelu), SmallConvConfig(),
                      SmallFrontConfig(), SmallTextConfig(),
                      SmallConfig(Activation::kNone, 2)),
    [](const auto& info) -> std::string {
      if (info.param.sharing > 1) return "sharing";
      if (info.param.text()) return "text";
      if (!info.param.front.empty()) return "front";
      if (info.param.expert == ExpertKind::kConv) return "conv";
      return info.param.stem_activation == Activation::kRelu ? "relu" : "none";
    });

// With the order fixed and w = 1 + s - anchor, the loss is a differentiable
// function of every parameter, the router's too, whose gradient at the anchor
// is the straight-through one.
TEST_P(MreNetworkTest, EveryGradientAgreesWithCentralDifferences) {
  Problem problem(GetParam(), /*rows=*/5, /*steps=*/7);
  SetThreads(1);  // thousands of forward passes too small to share
  MreNetwork network(problem.config);
  const std::vector<float> gradient = problem.Gradient(network);
  const Unrolled passed = problem.Run(problem.options, network);
  const std::vector<int32_t>& order = passed.order;
  std::vector<float> anchor(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    anchor[i] = passed.soft[i * problem.config.total_experts() + order[i]];
  }
  UnrollOptions fixed = problem.options;
  fixed.order = order;
  fixed.anchor = anchor;
  const auto loss = [&] {
    return problem.Loss(problem.Run(fixed, network), nullptr);
  };
  for (const ParamSpec& spec : problem.parts.table.specs) {
    const GradientCheck check = CheckGradient(
        spec, problem.params, gradient, {2e-2f, 5e-3f, 2e-3f, 8e-4f}, loss);
    // An f32 loss of about 10 is known to 1e-6: over two steps of 5e-3 that is
    // 1e-4 a value.
    const double noise = 2e-4 * std::sqrt(static_cast<double>(spec.size));
    EXPECT_LT(check.error, 0.01 * check.gradient + noise) << spec.name;
    EXPECT_GT(check.gradient, 5 * noise) << spec.name << " is hardly tested";
  }
}

// Both precisions run the same order: bf16 may change no more than its rounding
// of 2^-9 does in a few products.
TEST(MreNetworkBf16Test, GradientsAreThoseOfF32ButForRounding) {
  if (!CpuHasBf16()) GTEST_SKIP() << "this CPU has no bf16 products";
  const Problem problem(SmallFrontConfig(), /*rows=*/40, /*steps=*/7);
  MreNetwork f32(problem.config);
  MreNetwork bf16(problem.config, Precision::kBf16);
  UnrollOptions fixed = problem.options;
  fixed.order = problem.Run(problem.options, f32).order;
  const auto gradient = [&](MreNetwork& network) {
    const Unrolled& u = problem.Run(fixed, network);
    std::vector<float> dlogits(u.logits.size());
    problem.Loss(u, dlogits.data());
    std::vector<float> sum(problem.params.size(), 0.0f);
    network.Backward(problem.params, problem.x.data(), dlogits.data(), sum);
    return sum;
  };
  const std::vector<float> want = gradient(f32);
  const std::vector<float> got = gradient(bf16);
  EXPECT_NE(got, want);
  const auto norm = [&](const ParamSpec& spec, bool of_error) {
    double sum = 0;
    for (int64_t i = spec.offset; i < spec.offset + spec.size; ++i) {
      sum += std::pow(want[i] - (of_error ? got[i] : 0), 2);
    }
    return std::sqrt(sum);
  };
  double whole = 0;
  for (const ParamSpec& spec : problem.parts.table.specs) {
    whole = std::hypot(whole, norm(spec, false));
  }
  for (const ParamSpec& spec : problem.parts.table.specs) {
    if (spec.group == ParamGroup::kRouter) continue;  // differences of losses
    EXPECT_LT(norm(spec, true), 0.1 * norm(spec, false) + 0.01 * whole)
        << spec.name;
  }
}

TEST_P(MreNetworkTest, BatchGradientIsTheMeanOfTheRows) {
  Problem batch(GetParam(), /*rows=*/70, /*steps=*/9);
  batch.options.noise = 0;  // noise depends on a row's place
  MreNetwork network(batch.config);
  const std::vector<float> whole = batch.Gradient(network);
  std::vector<double> mean(whole.size());
  Problem single = batch;
  single.rows = 1;
  for (int64_t b = 0; b < batch.rows; ++b) {
    const auto x = batch.x.begin() + b * batch.config.input.size();
    single.x.assign(x, x + batch.config.input.size());
    single.labels = {batch.labels[b]};
    const std::vector<float> gradient = single.Gradient(network);
    for (size_t i = 0; i < mean.size(); ++i) {
      mean[i] += gradient[i] / static_cast<double>(batch.rows);
    }
  }
  for (size_t i = 0; i < mean.size(); ++i) {
    EXPECT_NEAR(whole[i], mean[i], 1e-4 + 1e-4 * std::abs(mean[i])) << i;
  }
}

TEST_P(MreNetworkTest, LayerMajorEqualsStepByStep) {
  for (const float noise : {0.0f, 1.0f}) {
    Problem problem(GetParam(), /*rows=*/70, /*steps=*/9);
    problem.options.noise = noise;
    MreNetwork network(problem.config);
    const Unrolled& u = problem.Run(problem.options, network);
    const StepByStep twin(problem);
    for (int64_t b = 0; b < problem.rows; ++b) {
      const std::vector<double> expected =
          twin.Logits(b, u.order.data() + b * u.steps, u.steps);
      const float* logits = u.logits.data() + b * expected.size();
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(logits[i], expected[i], 1e-4 * (1 + std::abs(expected[i])))
            << "row " << b << " value " << i;
      }
    }
  }
}

TEST_P(MreNetworkTest, GreedyOrderFollowsTheLargestRate) {
  Problem problem(GetParam(), /*rows=*/20, /*steps=*/9);
  problem.options.noise = 0;
  MreNetwork network(problem.config);
  const Unrolled& u = problem.Run(problem.options, network);
  const RoutingShape shape{problem.config.layers, problem.config.experts};
  for (int64_t b = 0; b < problem.rows; ++b) {
    std::vector<uint8_t> active(shape.total());
    std::vector<float> rates(shape.total());
    const float* p = u.probabilities.data() + b * shape.probabilities();
    for (int64_t t = 0; t < u.steps; ++t) {
      EXPECT_EQ(u.coverage[b * (u.steps + 1) + t],
                TraceRays(shape, p, active.data(), rates.data()));
      ASSERT_EQ(u.order[b * u.steps + t], LargestRate(rates));
      active[u.order[b * u.steps + t]] = 1;
    }
    EXPECT_NEAR(u.coverage[b * (u.steps + 1) + u.steps], 1, 1e-5);
  }
}

TEST_P(MreNetworkTest, RelaxedChoiceIsADistributionOverCandidates) {
  const Problem problem(GetParam(), /*rows=*/20, /*steps=*/9);
  MreNetwork network(problem.config);
  const Unrolled& u = problem.Run(problem.options, network);
  const int64_t total = problem.config.total_experts();
  for (size_t pair = 0; pair < u.order.size(); ++pair) {
    double sum = 0;
    for (int64_t e = 0; e < total; ++e) sum += u.soft[pair * total + e];
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_GT(u.soft[pair * total + u.order[pair]], 0);
    EXPECT_EQ(u.weight[pair], 1);
  }
}

// Layers of a group have one gate and their own transitions.
TEST(MreParamsTest, SharingHasOneGateAGroup) {
  const MreParams parts(SmallConfig(Activation::kNone, 2));
  EXPECT_EQ(parts.router.gate_weight[0].offset,
            parts.router.gate_weight[1].offset);
  EXPECT_NE(parts.router.gate_weight[1].offset,
            parts.router.gate_weight[2].offset);
  std::vector<std::string> names;
  for (const ParamSpec& spec : parts.table.specs) {
    if (absl::StartsWith(spec.name, "router.")) names.push_back(spec.name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre(
                         "router.context.weight", "router.context.bias",
                         "router.0.gate.weight", "router.0.gate.bias",
                         "router.1.transition", "router.1.gate.weight",
                         "router.1.gate.bias", "router.2.transition"));
}

TEST(ExitLossTest, WeighsTheExits) {
  const std::vector<float> logits = {0, 0, 3, 3, 1, 1, 0, std::log(3.0f)};
  const Exits exits{2, 1, logits, {}, {}};
  const uint8_t labels[] = {0, 1};
  const float weights[] = {0.5f, 2};
  std::vector<float> dlogits(8);
  const double log2 = std::log(2.0);
  EXPECT_NEAR(ExitLoss(exits, 2, labels, weights, dlogits.data()),
              (0.5 * log2 + 2 * log2 + 0.5 * log2 + 2 * std::log(4.0 / 3)) / 2,
              1e-6);
  EXPECT_NEAR(dlogits[0], -0.125, 1e-6);
  EXPECT_NEAR(dlogits[1], 0.125, 1e-6);
  EXPECT_NEAR(dlogits[6], 0.25, 1e-6);
  EXPECT_NEAR(dlogits[7], -0.25, 1e-6);
}

TEST(ExitLossTest, EarlierExitsLearnFromTheLast) {
  const std::vector<float> logits = {0.2f, -1, 0.7f, 2, 0.3f, -0.5f};
  const Exits exits{1, 1, logits, {}, {}};
  const uint8_t labels[] = {1};
  const float weights[] = {0.5f, 2};
  const auto softmax = [](const float* x) {
    std::vector<double> p = {std::exp(x[0]), std::exp(x[1]), std::exp(x[2])};
    const double sum = p[0] + p[1] + p[2];
    for (double& value : p) value /= sum;
    return p;
  };
  const std::vector<double> first = softmax(&logits[0]);
  const std::vector<double> last = softmax(&logits[3]);
  double want = -2 * std::log(last[1]) - 0.5 * 0.75 * std::log(first[1]);
  for (int c = 0; c < 3; ++c) want -= 0.5 * 0.25 * last[c] * std::log(first[c]);
  std::vector<float> dlogits(6);
  EXPECT_NEAR(ExitLoss(exits, 3, labels, weights, dlogits.data(), 0.25f), want,
              1e-6);
  for (int c = 0; c < 3; ++c) {
    const double label = c == 1 ? 1 : 0;
    EXPECT_NEAR(dlogits[c], 0.5 * (first[c] - 0.75 * label - 0.25 * last[c]),
                1e-6);
    EXPECT_NEAR(dlogits[3 + c], 2 * (last[c] - label), 1e-6);
  }
}

TEST(ExitLossTest, ALabelThatCannotBeHasAFiniteLoss) {
  const std::vector<float> logits = {0, 200};  // e^-200 is 0 in float
  std::vector<float> p(2);
  const double expected = 30 * std::log(10.0);
  EXPECT_NEAR(LossOf(logits.data(), 2, 0, p.data()), expected, 1e-4);
  const Exits exits{1, 0, logits, {}, {}};
  const uint8_t label = 0;
  const float weight = 1;
  EXPECT_NEAR(ExitLoss(exits, 2, &label, {&weight, 1}, nullptr), expected,
              1e-4);
}

}  // namespace
}  // namespace mre
