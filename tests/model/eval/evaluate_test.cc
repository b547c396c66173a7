#include "model/eval/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "model/data/batches.h"
#include "model/eval/eval_report.h"
#include "model/net/kinds.h"
#include "model/net/router_noise.h"
#include "model/net/wiring.h"
#include "tests/model/data/tiny_data.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

// A model that routes: every parameter is drawn.
Model TinyModel(Kind kind, const Dataset& data) {
  ModelConfig config;
  config.kind = kind;
  config.input = InputStatistics(data);
  config.classes = data.classes;
  config.layers = 3;
  config.experts = kind == Kind::kMlp ? 1 : 4;
  config.top_k = kind == Kind::kTopk ? 2 : kind == Kind::kAdak ? 3 : 1;
  config.width = 12;
  config.hidden = 8;
  config.context = 6;
  return RandomModel(config, 3);
}

// A pass over all of a split, as the trainer makes it.
struct Pass {
  Pass(const Model& model, const Split& split, int64_t steps)
      : batches(split, model.config.input, {}),
        network(NewNetwork(model.config)) {
    batches.LoadRange(0, split.size());
    exits = network->Forward(model.params, batches.x(), split.size(),
                             {.steps = steps});
  }

  Batches batches;
  std::unique_ptr<Network> network;
  Exits exits;
};

TEST(EvaluateTest, SharesAndCoverageEndWhereAllExpertsRan) {
  ModelConfig config;
  const Dataset data = TinyDataset();
  config.input = InputStatistics(data);
  config.classes = data.classes;
  config.layers = 2;
  config.experts = 3;
  const Model model{config, NewNetwork(config)->InitialParams(1)};
  const Evaluation all = Evaluate(model, data.test, 6);
  EXPECT_EQ(all.inputs, 50);
  EXPECT_EQ(all.least_use(), 1);
  EXPECT_EQ(all.steps[0].coverage, 0);
  EXPECT_NEAR(all.steps[6].coverage, 1, 1e-5);
  // stem 64*64 + 32*64 + 32*6, head 64*4, each expert 2*64*64.
  EXPECT_EQ(all.steps[0].macs, 4096 + 2048 + 192 + 256);
  EXPECT_EQ(all.steps[6].macs, all.steps[0].macs + 6 * (8192 + 256));
  const Evaluation some = Evaluate(model, data.test, 2);
  double runs = 0;
  for (const double use : some.use) runs += use;
  EXPECT_NEAR(runs, 2, 1e-9);
  EXPECT_EQ(some.steps[2].accuracy, all.steps[2].accuracy);
}

// A head without weights gives every class the same probability.
TEST(EvaluateTest, LossIsTheCrossEntropyOfTheLabels) {
  ModelConfig config;
  const Dataset data = TinyDataset();
  config.input = InputStatistics(data);
  config.classes = data.classes;
  const auto network = NewNetwork(config);
  const Model model{config, std::vector<float>(network->table().total, 0.0f)};
  const Evaluation even = Evaluate(model, data.test, 2);
  for (const StepQuality& step : even.steps) {
    EXPECT_NEAR(step.loss, std::log(4), 1e-6);
  }
  EXPECT_THAT(FormatTable(even), Not(HasSubstr("perplexity")));
  EXPECT_THAT(FormatJson({even, {}, {}}), HasSubstr("\"loss\":1.386"));
}

TEST(EvaluateTest, LossIsThatOfTraining) {
  const Dataset data = TinyDataset();
  const Model model = TinyModel(Kind::kTopk, data);
  const Evaluation evaluation = Evaluate(model, data.test, 3);
  const Pass pass(model, data.test, 3);
  for (int t = 0; t <= 3; ++t) {
    std::vector<float> weights(4);
    weights[t] = 1;
    EXPECT_NEAR(
        evaluation.steps[t].loss,
        ExitLoss(pass.exits, 4, pass.batches.labels().data(), weights, nullptr),
        1e-5);
  }
}

TEST(EvaluateTest, ParametersEndAtTheWholeModelOnlyWhereAllExpertsRan) {
  const Dataset data = TinyDataset();
  const Model mre = TinyModel(Kind::kMre, data);
  const double all = static_cast<double>(mre.params.size());
  EXPECT_EQ(Evaluate(mre, data.test, 12).steps.back().parameters, all);
  EXPECT_LT(Evaluate(mre, data.test, 11).steps.back().parameters, all);
  const Model mlp = TinyModel(Kind::kMlp, data);
  EXPECT_EQ(Evaluate(mlp, data.test, 3).steps.back().parameters,
            static_cast<double>(mlp.params.size()));
}

// Width 12, hidden 8, 64 inputs, 4 classes; 1 to 3 of 4 experts a layer.
TEST(EvaluateTest, AnAdakCountsTheExpertsThatEachInputRan) {
  const Dataset data = TinyDataset();
  const Model model = TinyModel(Kind::kAdak, data);
  const Evaluation evaluation = Evaluate(model, data.test, 3);
  const Pass pass(model, data.test, 3);
  std::vector<int64_t> ran(50);  // by input
  double parameters = 50 * ((12 * 64 + 12) + (24 + 4 * 12 + 4));
  double macs = 50 * (12 * 64 + 4 * 12);
  for (int64_t t = 0;; ++t) {
    EXPECT_DOUBLE_EQ(evaluation.steps[t].parameters, parameters / 50);
    EXPECT_DOUBLE_EQ(evaluation.steps[t].macs, macs / 50);
    if (t == 3) break;
    for (int64_t b = 0; b < 50; ++b) {
      // LayerNorm, router, allocator; the head again.
      parameters += 24 + (4 * 12 + 4) + (3 * 12 + 3);
      macs += 4 * 12 + 3 * 12 + 4 * 12;
      for (const int32_t expert :
           pass.exits.experts.subspan((b * 3 + t) * 3, 3)) {
        if (expert < 0) continue;
        ++ran[b];
        parameters += (8 * 12 + 8) + (12 * 8 + 12);
        macs += 2 * 8 * 12;
      }
    }
  }
  const auto [fewest, most] = std::minmax_element(ran.begin(), ran.end());
  EXPECT_LT(*fewest, *most);  // else nothing is tested
  EXPECT_EQ(evaluation.experts.fewest, *fewest);
  EXPECT_EQ(evaluation.experts.most, *most);
  EXPECT_DOUBLE_EQ(evaluation.experts.mean,
                   std::accumulate(ran.begin(), ran.end(), 0) / 50.0);
  EXPECT_EQ(evaluation.experts.steps, 3);
}

// 6 modules of 12 units that see 16 of the 64 inputs each; 4 blocks of 8 units
// in each of 3 layers.
TEST(EvaluateTest, ARaytracingCountsTheBlocksThatEachInputWoke) {
  const Dataset data = TinyDataset();
  const Model model = TinyModel(Kind::kRaytracing, data);
  const int64_t steps = model.config.raytracing.max_steps;
  const Wiring wiring(model.config);
  const Evaluation evaluation = Evaluate(model, data.test, steps);
  const Pass pass(model, data.test, steps);
  std::vector<int64_t> woke(50);  // by input
  double last = 0;
  const auto output = static_cast<double>(wiring.output.size());
  double parameters = 50 * (6 * (12 * 16 + 12) + 4 * output + 4);
  for (int64_t t = 0;; ++t) {
    EXPECT_DOUBLE_EQ(evaluation.steps[t].parameters, parameters / 50) << t;
    if (t == steps) break;
    for (int64_t b = 0; b < 50; ++b) {
      const int64_t* begin = &pass.exits.expert_begin[b * steps + t];
      for (int64_t i = begin[0]; i < begin[1]; ++i) {
        ++woke[b];
        const auto& wires = wiring.wires[pass.exits.experts[i]];
        parameters += 8 * static_cast<double>(wires.size()) + 8;
      }
      if (pass.exits.weights[b * (steps + 1) + t + 1] > 0) {
        last += static_cast<double>(t + 1);
      }
    }
  }
  const auto [fewest, most] = std::minmax_element(woke.begin(), woke.end());
  EXPECT_LT(*fewest, *most);  // else nothing is tested
  EXPECT_EQ(evaluation.experts.fewest, *fewest);
  EXPECT_EQ(evaluation.experts.most, *most);
  EXPECT_DOUBLE_EQ(evaluation.experts.mean,
                   std::accumulate(woke.begin(), woke.end(), 0) / 50.0);
  EXPECT_DOUBLE_EQ(evaluation.experts.steps, last / 50);
  EXPECT_LT(evaluation.experts.steps, steps);
}

TEST(EvaluateTest, EarlyUseEndsAtAsManyStepsAsLayers) {
  const Dataset data = TinyDataset();
  const Model mre = TinyModel(Kind::kMre, data);
  const Evaluation all = Evaluate(mre, data.test, 12);
  EXPECT_EQ(all.load.least, 1);
  EXPECT_EQ(all.early_use, Evaluate(mre, data.test, 3).use);
  const Evaluation stack = Evaluate(TinyModel(Kind::kTopk, data), data.test, 3);
  EXPECT_EQ(stack.early_use, stack.use);
}

TEST(EvaluateTest, PathsOfAStackAreTheExpertsOfLargestWeight) {
  const Dataset data = TinyDataset();
  const Model model = TinyModel(Kind::kTopk, data);
  const Outcomes two = Observe(model, data.test, {.steps = 3});
  ASSERT_EQ(two.experts_of(0, 3).size(), 6);
  // The stream of layer 0 does not depend on k: there, the one expert of top-1
  // is the heavier one of top-2.
  Model one = model;
  one.config.top_k = 1;
  const Outcomes single = Observe(one, data.test, {.steps = 3});
  int later = 0;
  for (int64_t b = 0; b < two.inputs; ++b) {
    EXPECT_EQ(two.path[b * 3], single.experts[b * 3]) << b;
    later += two.path[b * 3] != two.experts[b * 6] ? 1 : 0;
  }
  // Experts come in order of their index, so that is not always the first.
  EXPECT_GT(later, 0);
}

TEST(EvaluateTest, NoiseMovesRoutersAndNothingElse) {
  const Dataset data = TinyDataset();
  for (const Kind kind : {Kind::kMre, Kind::kTopk, Kind::kMlp}) {
    const Model model = TinyModel(kind, data);
    const Outcomes clean = Observe(model, data.test, {.steps = 3});
    const auto noisy = [&](float scale, uint64_t seed) {
      PassOptions pass{.steps = 3, .seed = seed};
      pass.router_noise = scale;
      return Observe(model, data.test, pass);
    };
    EXPECT_EQ(noisy(0, 5).loss, clean.loss) << KindName(kind);
    EXPECT_EQ(noisy(1, 5).experts, noisy(1, 5).experts) << KindName(kind);
    if (kind == Kind::kMlp) {
      EXPECT_EQ(noisy(1, 5).loss, clean.loss);
    } else {
      EXPECT_NE(noisy(1, 5).experts, clean.experts) << KindName(kind);
      EXPECT_NE(noisy(1, 5).experts, noisy(1, 6).experts) << KindName(kind);
    }
    // Step 0 comes before any router.
    for (int64_t b = 0; b < clean.inputs; ++b) {
      EXPECT_EQ(noisy(1, 5).loss[b * 4], clean.loss[b * 4]);
    }
  }
}

TEST(RouterNoiseTest, IsAsLargeAsTheScaleTimesTheLogitsDeviation) {
  // Of 1 and 5 the deviation is 2, and so 3 for a scale of 1.5.
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> logits = {1, 5};
    AddRouterNoise(1.5f, Mix64(i), logits);
    sum += logits[0] - 1;
    squares += (logits[0] - 1) * (logits[0] - 1);
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 * 3 / std::sqrt(kDraws));
  EXPECT_NEAR(std::sqrt(squares / kDraws), 3, 0.1);
  std::vector<float> alike = {2, 2, 2};
  AddRouterNoise(1.5f, 1, alike);
  EXPECT_EQ(alike, (std::vector<float>{2, 2, 2}));
}

TEST(EvalReportTest, RanksStepsByTheReferencesLoss) {
  Outcomes outcomes;
  outcomes.inputs = 3;
  outcomes.steps = 1;
  outcomes.top = {0, 0, 0, 0, 0, 0};
  outcomes.right = {1, 1, 1, 1, 0, 1};
  outcomes.confidence = {.9f, .9f, .9f, .9f, .5f, .9f};
  outcomes.coverage = {0, 1, 0, 1, 0, 1};
  outcomes.loss = {.1, .1, .1, .1, 1, .1};
  outcomes.macs = {1, 2, 1, 2, 1, 2};
  outcomes.last = {1, 1, 1};
  const Budget budget{.min_confidence = 0.8f};
  const StopReport stop = ReportStop(budget, outcomes, {.2, .1, .9});
  EXPECT_DOUBLE_EQ(stop.quality.steps, 1.0 / 3);
  EXPECT_DOUBLE_EQ(stop.quality.accuracy, 1);
  // Steps 0 0 1 have the ranks 0.5 0.5 2, the losses 1 0 2.
  EXPECT_DOUBLE_EQ(*stop.rank_correlation, 1.5 / std::sqrt(1.5 * 2));
  EXPECT_EQ(stop.steps_by_decile, (std::vector<double>{0, 0, 1}));
  EXPECT_TRUE(ReportStop(budget, outcomes, {}).steps_by_decile.empty());
}

TEST(EvalReportTest, JsonHasWhatWasAskedForOnly) {
  const Dataset data = TinyDataset();
  const Model model = TinyModel(Kind::kMre, data);
  EvalReport report;
  report.evaluation = Evaluate(model, data.test, 5);
  const auto plain = nlohmann::json::parse(FormatJson(report));
  EXPECT_FALSE(plain.contains("robustness"));
  EXPECT_FALSE(plain.contains("stop"));
  EXPECT_EQ(plain["paths"]["length"], 3);
  EXPECT_EQ(plain["curve"].size(), 7);
  report.noise = ReportNoise(0.5, report.evaluation);
  const auto noisy = nlohmann::json::parse(FormatJson(report));
  EXPECT_EQ(noisy["robustness"]["router_noise"], 0.5);
  EXPECT_EQ(noisy["robustness"]["loss"].size(), 6);
  EXPECT_THAT(FormatTable(report), HasSubstr("noise of 0.5 deviations"));
}

}  // namespace
}  // namespace mre
