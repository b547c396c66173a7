#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "model/math/parallel.h"
#include "model/net/mre.h"
#include "tests/model/net/gradient_check.h"
#include "tests/model/net/mre_problem.h"

namespace mre {
namespace {

// A problem whose router learns from pairs.
Problem PairsProblem(const ModelConfig& config, int64_t rows, int64_t steps) {
  Problem problem(config, rows, steps);
  problem.options.router = RouterTraining::kPairs;
  return problem;
}

// Labels and weights are borrowed, so only once the problem stays in place.
UnrollOptions Options(const Problem& problem) {
  UnrollOptions options = problem.options;
  options.labels = problem.labels;
  options.step_weights = problem.step_weights;
  return options;
}

double CrossEntropy(const double* logits, int64_t classes, int64_t label) {
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits[c]);
  return std::log(sum) - logits[label];
}

class MrePairsTest : public ::testing::TestWithParam<ModelConfig> {};

INSTANTIATE_TEST_SUITE_P(Models, MrePairsTest,
                         ::testing::Values(SmallConfig(Activation::kNone),
                                           SmallConvConfig()),
                         [](const auto& info) {
                           return info.param.expert == ExpertKind::kConv
                                      ? "conv"
                                      : "mlp";
                         });

TEST_P(MrePairsTest, CreditIsTheLossAgainstThatOfTheRival) {
  const Problem problem = PairsProblem(GetParam(), /*rows=*/9, /*steps=*/9);
  MreNetwork network(problem.config);
  const Unrolled& u = problem.Run(Options(problem), network);
  const StepByStep twin(problem);
  const int64_t classes = problem.config.num_classes();
  int64_t without = 0;
  for (int64_t b = 0; b < problem.rows; ++b) {
    for (int64_t t = 0; t < u.steps; ++t) {
      const int64_t pair = b * u.steps + t;
      const int32_t rival = u.rivals.expert[pair];
      if (rival < 0) {
        ++without;
        EXPECT_EQ(u.rivals.credit[pair], 0);
        continue;
      }
      std::vector<int32_t> order(u.order.begin() + b * u.steps,
                                 u.order.begin() + b * u.steps + t + 1);
      ASSERT_EQ(std::count(order.begin(), order.end(), rival), 0);
      const auto loss = [&] {
        const std::vector<double> logits = twin.Logits(b, order.data(), t + 1);
        return CrossEntropy(logits.data() + (t + 1) * classes, classes,
                            problem.labels[b]);
      };
      const double chosen = loss();
      order.back() = rival;
      const double expected = problem.step_weights[t + 1] * (chosen - loss());
      EXPECT_NEAR(u.rivals.credit[pair], expected, 1e-4) << b << " " << t;
    }
  }
  // All 9 experts run, so the last step has no choice.
  EXPECT_GE(without, problem.rows);
}

// Nothing reads them, and they would be as large as experts times steps.
TEST_P(MrePairsTest, ThereAreNoRelaxedChoices) {
  const Problem problem = PairsProblem(GetParam(), /*rows=*/9, /*steps=*/9);
  MreNetwork network(problem.config);
  const Unrolled& u = problem.Run(Options(problem), network);
  EXPECT_TRUE(u.soft.empty());
  EXPECT_EQ(u.weight, std::vector<float>(9 * 9, 1.0f));
  // A pass without labels is not of pairs.
  EXPECT_EQ(problem.Run(problem.options, network).soft.size(), 9 * 9 * 9);
}

TEST_P(MrePairsTest, OddsAreTheChosensShareOfBothRates) {
  const Problem problem = PairsProblem(GetParam(), /*rows=*/9, /*steps=*/7);
  MreNetwork network(problem.config);
  const Unrolled& u = problem.Run(Options(problem), network);
  const RoutingShape shape{problem.config.layers, problem.config.experts};
  for (int64_t b = 0; b < problem.rows; ++b) {
    std::vector<uint8_t> active(shape.total());
    std::vector<float> rates(shape.total());
    for (int64_t t = 0; t < u.steps; ++t) {
      TraceRays(shape, u.probabilities.data() + b * shape.probabilities(),
                active.data(), rates.data());
      const int64_t pair = b * u.steps + t;
      const int32_t chosen = u.order[pair];
      const int32_t rival = u.rivals.expert[pair];
      active[chosen] = 1;
      if (rival < 0) continue;
      ASSERT_GE(rates[rival], 0) << "no candidate";
      EXPECT_NEAR(u.rivals.odds[pair],
                  rates[chosen] / (rates[chosen] + rates[rival]), 1e-5);
    }
  }
}

// With the order, the rivals and the credits fixed the loss, that of the pairs
// included, is a differentiable function of every parameter.
TEST_P(MrePairsTest, EveryGradientAgreesWithCentralDifferences) {
  Problem problem = PairsProblem(GetParam(), /*rows=*/5, /*steps=*/7);
  SetThreads(1);
  MreNetwork network(problem.config);
  UnrollOptions fixed = Options(problem);
  const Unrolled passed = problem.Run(fixed, network);
  fixed.order = passed.order;
  fixed.rivals = passed.rivals.expert;
  // Large ones, so that the router's gradient is well above the noise.
  std::vector<float> credits = passed.rivals.credit;
  for (float& credit : credits) credit *= 20;
  fixed.credits = credits;
  const auto loss = [&](float* dlogits) {
    const Unrolled& u = problem.Run(fixed, network);
    double sum = 0;
    for (size_t i = 0; i < u.rivals.odds.size(); ++i) {
      sum += double{u.rivals.odds[i]} * u.rivals.credit[i];
    }
    return problem.Loss(u, dlogits) + sum / static_cast<double>(problem.rows);
  };
  std::vector<float> dlogits(passed.logits.size());
  loss(dlogits.data());
  std::vector<float> gradient(problem.params.size(), 0.0f);
  network.Backward(problem.params, problem.x.data(), dlogits.data(), gradient);
  for (const ParamSpec& spec : problem.parts.table.specs) {
    const GradientCheck check = CheckGradient(spec, problem.params, gradient,
                                              {2e-2f, 5e-3f, 2e-3f, 8e-4f},
                                              [&] { return loss(nullptr); });
    const double noise = 2e-4 * std::sqrt(static_cast<double>(spec.size));
    EXPECT_LT(check.error, 0.01 * check.gradient + noise) << spec.name;
    EXPECT_GT(check.gradient, 5 * noise) << spec.name << " is hardly tested";
  }
}

TEST_P(MrePairsTest, RivalsChangeNoExit) {
  Problem problem = PairsProblem(GetParam(), /*rows=*/9, /*steps=*/9);
  MreNetwork network(problem.config);
  const Unrolled with = problem.Run(Options(problem), network);
  problem.options.router = RouterTraining::kStraightThrough;
  const Unrolled& without = problem.Run(Options(problem), network);
  EXPECT_EQ(with.order, without.order);
  EXPECT_EQ(with.logits, without.logits);
  EXPECT_TRUE(without.rivals.empty());
}

// A router left at random is one that the stem does not learn to steer either:
// the gradient is that of pairs which are worth nothing.
TEST_P(MrePairsTest, NothingLearnsToRouteWhereTheRouterDoesNot) {
  Problem problem = PairsProblem(GetParam(), /*rows=*/9, /*steps=*/7);
  MreNetwork network(problem.config);
  const auto gradient = [&](const UnrollOptions& options) {
    const Unrolled& u = problem.Run(options, network);
    std::vector<float> dlogits(u.logits.size());
    problem.Loss(u, dlogits.data());
    std::vector<float> g(problem.params.size(), 0.0f);
    network.Backward(problem.params, problem.x.data(), dlogits.data(), g);
    return g;
  };
  UnrollOptions worthless = Options(problem);
  const std::vector<float> credits(problem.rows * worthless.steps, 0.0f);
  worthless.credits = credits;
  UnrollOptions none = Options(problem);
  none.router = RouterTraining::kNone;
  EXPECT_EQ(gradient(none), gradient(worthless));
  EXPECT_NE(gradient(none), gradient(Options(problem)));
}

}  // namespace
}  // namespace mre
