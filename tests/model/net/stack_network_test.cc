#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/rng.h"
#include "model/math/parallel.h"
#include "model/net/stack.h"
#include "tests/model/net/gradient_check.h"

namespace mre {
namespace {

constexpr uint64_t kSeed = 5;

ModelConfig SmallConfig(Kind kind, int64_t top_k, int64_t sharing) {
  ModelConfig config;
  config.kind = kind;
  config.input = {{2, 3, 1}, 1, {0}, {1}};
  config.width = 9;  // no multiple of any vector's length
  config.layers = 4;
  config.experts = config.has_router() ? 5 : 1;
  config.hidden = 7;
  config.top_k = top_k;
  config.sharing = sharing;
  config.classes = {"a", "b", "c"};
  return config;
}

ModelConfig SmallConvConfig(Kind kind, int64_t top_k) {
  ModelConfig config = SmallConfig(kind, top_k, 1);
  config.expert = ExpertKind::kConv;
  config.input = {{5, 4, 2}, 1, {0, 0}, {1, 1}};
  config.patch = {3, 2, 1};
  config.layers = 2;
  config.experts = std::min<int64_t>(config.experts, 3);
  config.width = 5;
  config.hidden = 4;
  return config;
}

ModelConfig SmallTextConfig(Kind kind, Activation stem) {
  ModelConfig config = SmallConfig(kind, 1, 1);
  config.input = {{1, 4, 1}, 1, {0}, {1}};
  config.embedding = 3;
  config.stem_activation = stem;
  config.layers = 2;
  return config;
}

// A model and a batch for it, every parameter off its starting value.
struct Problem {
  Problem(const ModelConfig& c, int64_t rows)
      : config(c),
        network(c),
        params(network.InitialParams(kSeed)),
        rows(rows) {
    Rng rng(kSeed + 1);
    for (float& p : params) p += static_cast<float>(0.3 * rng.Gaussian());
    x = GradientInputs(c, rows, rng);
    for (int64_t b = 0; b < rows; ++b) {
      labels.push_back(static_cast<uint8_t>(rng.Below(c.num_classes())));
    }
    for (int64_t t = 0; t <= c.layers; ++t) {
      step_weights.push_back(static_cast<float>(0.5 + rng.Uniform()));
    }
    options.steps = c.layers;
    options.noise = 0.3f;
    options.seed = kSeed;
    options.balance = 0.7;
    options.expert_cost = 0.1;
    options.labels = labels;
    options.step_weights = step_weights;
  }
  // The options look into the problem.
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  // The exits' loss and the balance term of one pass.
  double Loss(float* dlogits) {
    const Exits exits = network.Forward(params, x.data(), rows, options);
    return ExitLoss(exits, config.num_classes(), labels.data(), step_weights,
                    dlogits) +
           network.balance_loss();
  }

  std::vector<float> Gradient() {
    std::vector<float> dlogits(rows * (config.layers + 1) *
                               config.num_classes());
    Loss(dlogits.data());
    std::vector<float> gradient(params.size(), 0.0f);
    network.Backward(params, x.data(), dlogits.data(), gradient);
    return gradient;
  }

  ModelConfig config;
  StackNetwork network;
  std::vector<float> params;
  int64_t rows;
  std::vector<float> x;
  std::vector<uint8_t> labels;
  std::vector<float> step_weights;
  PassOptions options;
};

class StackNetworkTest : public ::testing::TestWithParam<ModelConfig> {};

INSTANTIATE_TEST_SUITE_P(
    Kinds, StackNetworkTest,
    ::testing::Values(
        SmallConfig(Kind::kMlp, 1, 1), SmallConfig(Kind::kTopk, 1, 1),
        SmallConfig(Kind::kTopk, 2, 1), SmallConfig(Kind::kPathmoe, 1, 2),
        SmallConfig(Kind::kPathmoe, 3, 3), SmallConfig(Kind::kAdak, 1, 1),
        SmallConfig(Kind::kAdak, 4, 1), SmallConvConfig(Kind::kMlp, 1),
        SmallConvConfig(Kind::kCnn, 1), SmallConvConfig(Kind::kTopk, 2),
        SmallConvConfig(Kind::kAdak, 3),
        SmallTextConfig(Kind::kMlp, Activation::kRelu),
        SmallTextConfig(Kind::kTopk, Activation::kNone)),
    [](const auto& info) {
      const bool conv = info.param.expert == ExpertKind::kConv;
      return absl::StrCat(KindName(info.param.kind), "_k", info.param.top_k,
                          "_b", info.param.sharing, conv ? "_conv" : "",
                          info.param.text() ? "_text" : "");
    });

// With the choices kept, loss and balance term are differentiable functions of
// every parameter, the routers' too; but for the allocators', which learn from
// a term of their own.
TEST_P(StackNetworkTest, EveryGradientAgreesWithCentralDifferences) {
  Problem problem(GetParam(), /*rows=*/4);
  SetThreads(1);  // thousands of forward passes too small to share
  const std::vector<float> gradient = problem.Gradient();
  problem.network.KeepChoices();
  for (const ParamSpec& spec : problem.network.table().specs) {
    const bool allocator = absl::StrContains(spec.name, ".allocator.");
    const GradientCheck check = CheckGradient(
        spec, problem.params, gradient, {2e-2f, 5e-3f, 2e-3f, 8e-4f, 2e-4f},
        [&] {
          const double loss = problem.Loss(nullptr);
          return allocator ? problem.network.allocation_loss() : loss;
        });
    const double noise = 2e-4 * std::sqrt(static_cast<double>(spec.size));
    EXPECT_LT(check.error, 0.01 * check.gradient + noise) << spec.name;
  }
}

TEST_P(StackNetworkTest, RowsChooseTheirLargestLogitsAndSumTheirExperts) {
  Problem problem(GetParam(), /*rows=*/70);
  problem.options.noise = 0;
  const Exits exits = problem.network.Forward(problem.params, problem.x.data(),
                                              problem.rows, problem.options);
  const int64_t k = GetParam().has_router() ? GetParam().top_k : 1;
  std::vector<int64_t> rows_by_count(k + 1);
  ASSERT_EQ(static_cast<int64_t>(exits.experts.size()),
            problem.rows * GetParam().layers * k);
  for (int64_t step = 0; step < problem.rows * GetParam().layers; ++step) {
    const auto experts = exits.experts.subspan(step * k, k);
    const int64_t count = k - std::count(experts.begin(), experts.end(), -1);
    ++rows_by_count[count];
    for (int64_t i = 0; i < count; ++i) {
      EXPECT_EQ(experts[i] / GetParam().experts, step % GetParam().layers);
      // Ascending, so distinct, within a layer.
      if (i == 0) continue;
      EXPECT_GT(experts[i], experts[i - 1]);
    }
  }
  EXPECT_EQ(rows_by_count[0], 0);
  for (int64_t count = 1; count < k; ++count) {
    EXPECT_EQ(rows_by_count[count] > 0, GetParam().kind == Kind::kAdak);
  }
}

TEST_P(StackNetworkTest, FewerStepsAreTheSameStepsCutShort) {
  Problem problem(GetParam(), /*rows=*/20);
  problem.options.labels = {};  // no pairs, whose layer is drawn
  const Exits all = problem.network.Forward(problem.params, problem.x.data(),
                                            problem.rows, problem.options);
  const std::vector<float> logits(all.logits.begin(), all.logits.end());
  problem.options.steps = 2;
  const Exits cut = problem.network.Forward(problem.params, problem.x.data(),
                                            problem.rows, problem.options);
  const int64_t classes = GetParam().num_classes();
  for (int64_t b = 0; b < problem.rows; ++b) {
    for (int64_t i = 0; i < 3 * classes; ++i) {
      ASSERT_EQ(cut.logits[b * 3 * classes + i],
                logits[b * (GetParam().layers + 1) * classes + i]);
    }
  }
}

// What an allocator learns from: each way's whole cost. Where experts cost far
// more than they help, the fewer gain; where they are free, what lowers the
// loss.
TEST(AllocatorNetworkTest, LearnsFromWhatTheOtherWayCosts) {
  for (const double price : {0.0, 100.0}) {
    Problem problem(SmallConfig(Kind::kAdak, 4, 1), /*rows=*/100);
    problem.options.expert_cost = price;
    const double before = [&] {
      problem.Loss(nullptr);
      return problem.network.allocation_loss();
    }();
    const std::vector<float> gradient = problem.Gradient();
    for (const ParamSpec& spec : problem.network.table().specs) {
      if (!absl::EndsWith(spec.name, ".allocator.bias")) continue;
      double sum = 0;
      for (int64_t i = 0; i < spec.size; ++i) {
        sum += gradient[spec.offset + i];
      }
      // One gains what the other loses.
      EXPECT_NEAR(sum, 0, 1e-5 * (1 + price)) << spec.name;
      if (price == 0) continue;
      EXPECT_LT(gradient[spec.offset], 0) << spec.name;
      EXPECT_GT(gradient[spec.offset + 3], 0) << spec.name;
    }
    // A small step against it lowers the term, choices and costs kept.
    problem.network.KeepChoices();
    for (size_t i = 0; i < gradient.size(); ++i) {
      const ParamSpec& spec = *std::find_if(
          problem.network.table().specs.begin(),
          problem.network.table().specs.end(), [&](const ParamSpec& s) {
            return static_cast<int64_t>(i) < s.offset + s.size;
          });
      if (absl::StrContains(spec.name, ".allocator.")) {
        problem.params[i] -= 1e-3f * gradient[i];
      }
    }
    problem.Loss(nullptr);
    EXPECT_LT(problem.network.allocation_loss(), before) << price;
  }
}

// Without labels there is nothing to compare: all layers go the model's way.
TEST(AllocatorNetworkTest, APairChangesTheNumberInOneLayerOnly) {
  Problem problem(SmallConfig(Kind::kAdak, 3, 1), /*rows=*/300);
  problem.options.noise = 0;
  const auto counts = [&] {
    const Exits exits = problem.network.Forward(
        problem.params, problem.x.data(), problem.rows, problem.options);
    std::vector<int64_t> counts;
    for (size_t i = 0; i < exits.experts.size(); i += 3) {
      const auto step = exits.experts.subspan(i, 3);
      counts.push_back(3 - std::count(step.begin(), step.end(), -1));
    }
    return counts;
  };
  const std::vector<int64_t> drawn = counts();
  problem.options.labels = {};
  const std::vector<int64_t> own = counts();
  EXPECT_EQ(problem.network.allocation_loss(), 0);
  // Later layers of a row may follow it; up to there all is the same.
  std::vector<int> first(5);
  for (int64_t b = 0; b < problem.rows; ++b) {
    const auto begin = drawn.begin() + b * 4;
    const auto [parts, ignored] =
        std::mismatch(begin, begin + 4, own.begin() + b * 4);
    ++first[parts - begin];
  }
  for (int layer = 0; layer < 4; ++layer) EXPECT_GT(first[layer], 30) << layer;
}

// A router that is shared has one tensor a group of layers.
TEST(StackParamsTest, PathmoeSharesItsRouters) {
  const StackParams own(SmallConfig(Kind::kTopk, 1, 1));
  const StackParams shared(SmallConfig(Kind::kPathmoe, 1, 3));
  EXPECT_EQ(own.gates.size(), 4u);
  EXPECT_EQ(shared.gates.size(), 2u);
  EXPECT_EQ(shared.gate(0), shared.gate(2));
  EXPECT_NE(shared.gate(2), shared.gate(3));
  EXPECT_EQ(StackParams(SmallConfig(Kind::kMlp, 1, 1)).gate(0), nullptr);
}

}  // namespace
}  // namespace mre
