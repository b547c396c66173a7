#include "model/engine/engine.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/engine/plain_forward.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

std::shared_ptr<const PackedModel> Pack(const Model& model,
                                        Precision precision = Precision::kF32) {
  auto packed = PackedModel::Create(model, precision);
  EXPECT_THAT(packed, IsOk());
  return *std::move(packed);
}

// What a row showed after one step.
struct Shown {
  StepInfo info;
  Progress progress;
  std::vector<float> probabilities;
};

// Runs one row to its end.
std::vector<Shown> RunToTheEnd(Engine& engine, std::span<const float> input,
                               const Routing& routing) {
  const int row = engine.Begin(input, routing);
  std::vector<Shown> steps;
  do {
    engine.Step({&row, 1});
    const auto p = engine.probabilities(row);
    steps.push_back(
        {engine.step_info(row), engine.progress(row), {p.begin(), p.end()}});
  } while (!steps.back().progress.exhausted && steps.size() < 5000);
  engine.End(row);
  return steps;
}

std::vector<int64_t> OrderOf(const std::vector<Shown>& steps) {
  std::vector<int64_t> order;
  for (size_t t = 1; t < steps.size(); ++t) {
    order.push_back(steps[t].info.expert);
  }
  return order;
}

// Probabilities and coverage of every step, and the choice of every expert.
void ExpectNearPlainForward(const Model& model, std::span<const float> input,
                            const std::vector<Shown>& steps, bool greedy,
                            double tolerance) {
  const std::vector<int64_t> order = OrderOf(steps);
  const std::vector<PlainStep> plain = PlainForward(model, input, order);
  ASSERT_EQ(plain.size(), steps.size());
  for (size_t t = 0; t < steps.size(); ++t) {
    SCOPED_TRACE(t);
    for (size_t c = 0; c < plain[t].probabilities.size(); ++c) {
      ASSERT_NEAR(steps[t].probabilities[c], plain[t].probabilities[c],
                  tolerance);
    }
    ASSERT_NEAR(steps[t].progress.ray_coverage, plain[t].coverage, 1e-5);
    if (t + 1 == steps.size()) break;
    const auto& rates = plain[t].rates;
    ASSERT_GE(rates[order[t]], 0) << "ran an expert that was no candidate";
    const double best = *std::max_element(rates.begin(), rates.end());
    if (greedy) {
      ASSERT_GE(rates[order[t]], best * (1 - 1e-4));
    }
  }
}

TEST(EngineTest, StepsEqualAWholePlainForward) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const Model model = RandomModel(RandomConfig(seed), seed);
    const auto engine = Engine::Create(Pack(model));
    Rng rng(seed);
    for (const bool sampled : {false, true}) {
      const std::vector<float> input = RandomInput(model.config, rng);
      const std::vector<Shown> steps =
          RunToTheEnd(*engine, input, {sampled, seed, 0});
      ExpectNearPlainForward(model, input, steps, !sampled, 3e-5);
    }
  }
}

// The same steps as without an end, and no more.
TEST(EngineTest, ARowEndsAfterTheModelsSteps) {
  Model model = RandomModel(FashionConfig(), 1);
  Rng rng(1);
  const std::vector<float> input = RandomInput(model.config, rng);
  const auto all = RunToTheEnd(*Engine::Create(Pack(model)), input, {});
  model.config.max_steps = 11;
  const auto engine = Engine::Create(Pack(model));
  for (const int ahead : {1, 3, 8}) {
    const int row = engine->Begin(input, {});
    engine->Step({&row, 1});
    int64_t steps = 0;
    while (!engine->progress(row).exhausted) {
      engine->Step({&row, 1}, {&ahead, 1});
      ++steps;
      ASSERT_EQ(engine->progress(row).confidence,
                all[steps].progress.confidence);
      ASSERT_EQ(engine->progress(row).ray_coverage,
                all[steps].progress.ray_coverage);
    }
    EXPECT_EQ(steps, 11);
    EXPECT_EQ(engine->Unshown(row), 0);
    EXPECT_LT(engine->progress(row).ray_coverage, 1);
    engine->End(row);
  }
}

TEST(EngineTest, ShippedShapeEqualsAWholePlainForward) {
  const Model model = RandomModel(FashionConfig(), 1);
  const auto engine = Engine::Create(Pack(model));
  Rng rng(1);
  const std::vector<float> input = RandomInput(model.config, rng);
  ExpectNearPlainForward(model, input, RunToTheEnd(*engine, input, {}), true,
                         3e-5);
}

TEST(EngineTest, Bf16StaysNearAWholePlainForward) {
  if (!CpuHasBf16()) GTEST_SKIP() << "this CPU has no bf16 products";
  const Model model = RandomModel(FashionConfig(), 1);
  const auto engine = Engine::Create(Pack(model, Precision::kBf16));
  const auto exact = Engine::Create(Pack(model));
  Rng rng(1);
  for (int i = 0; i < 5; ++i) {
    const std::vector<float> input = RandomInput(model.config, rng);
    const std::vector<Shown> steps = RunToTheEnd(*engine, input, {});
    // 2^-9 a rounded operand, over 32 experts and a head.
    ExpectNearPlainForward(model, input, steps, true, 0.1);
    EXPECT_EQ(OrderOf(steps), OrderOf(RunToTheEnd(*exact, input, {})));
  }
}

TEST(EngineTest, RunsEveryExpertOnceAndPaysForEach) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const Model model = RandomModel(RandomConfig(seed), seed);
    const int64_t total = model.config.total_experts();
    const auto engine = Engine::Create(Pack(model));
    const Cost& cost = engine->model().cost();
    Rng rng(seed);
    const std::vector<Shown> steps = RunToTheEnd(
        *engine, RandomInput(model.config, rng), {seed % 2 == 0, seed, 3});
    ASSERT_EQ(static_cast<int64_t>(steps.size()), total + 1);
    const std::vector<int64_t> order = OrderOf(steps);
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(),
              order.size());
    EXPECT_EQ(steps[0].info.expert, -1);
    uint64_t macs = cost.stem + cost.head;
    for (int64_t t = 0; t <= total; ++t) {
      const Progress& progress = steps[t].progress;
      EXPECT_EQ(progress.step, t);
      EXPECT_EQ(progress.macs, macs);
      EXPECT_EQ(progress.macs, cost.After(t));
      EXPECT_EQ(progress.next_step_macs, cost.OneStep());
      EXPECT_EQ(progress.exhausted, t == total);
      macs += cost.expert + cost.head;
    }
  }
}

TEST(EngineTest, CoverageNeverFallsAndEndsAtOne) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const Model model =
        RandomModel(seed == 0 ? FashionConfig() : RandomConfig(seed), seed);
    const auto engine = Engine::Create(Pack(model));
    Rng rng(seed);
    const std::vector<Shown> steps = RunToTheEnd(
        *engine, RandomInput(model.config, rng), {seed % 3 == 0, seed, 0});
    EXPECT_EQ(steps[0].progress.ray_coverage, 0);
    for (size_t t = 1; t < steps.size(); ++t) {
      EXPECT_GE(steps[t].progress.ray_coverage,
                steps[t - 1].progress.ray_coverage)
          << t;
    }
    EXPECT_NEAR(steps.back().progress.ray_coverage, 1, 1e-5);
  }
}

TEST(EngineTest, ConfidenceAndStabilityFollowTheProbabilities) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Model model = RandomModel(RandomConfig(seed), seed);
    const auto engine = Engine::Create(Pack(model));
    Rng rng(seed);
    const std::vector<Shown> steps =
        RunToTheEnd(*engine, RandomInput(model.config, rng), {});
    uint32_t stable = 0;
    for (size_t t = 0; t < steps.size(); ++t) {
      const std::vector<float>& p = steps[t].probabilities;
      const int64_t top = std::max_element(p.begin(), p.end()) - p.begin();
      double sum = 0;
      for (const float value : p) sum += value;
      EXPECT_NEAR(sum, 1, 1e-5);
      EXPECT_EQ(steps[t].info.top_class, top);
      EXPECT_EQ(steps[t].progress.confidence, p[top]);
      stable = t > 0 && top == steps[t - 1].info.top_class ? stable + 1 : 0;
      EXPECT_EQ(steps[t].progress.stable_steps, stable);
    }
  }
}

TEST(EngineTest, SampledOrderDependsOnSeedAndRowOnly) {
  const Model model = RandomModel(FashionConfig(), 2);
  const auto packed = Pack(model);
  Rng rng(2);
  const std::vector<float> input = RandomInput(model.config, rng);
  const auto engine = Engine::Create(packed);
  const auto order = [&](uint64_t seed, uint64_t row) {
    return OrderOf(RunToTheEnd(*engine, input, {true, seed, row}));
  };
  const std::vector<int64_t> first = order(5, 7);
  EXPECT_NE(order(6, 7), first);
  EXPECT_NE(order(5, 8), first);
  const auto other = Engine::Create(packed);
  const int neighbour = other->Begin(input, {true, 99, 1});
  other->Step({&neighbour, 1});
  EXPECT_EQ(OrderOf(RunToTheEnd(*other, input, {true, 5, 7})), first);
  EXPECT_EQ(order(5, 7), first);
  // Greedy rows have no use for either.
  EXPECT_EQ(OrderOf(RunToTheEnd(*engine, input, {false, 1, 2})),
            OrderOf(RunToTheEnd(*engine, input, {false, 3, 4})));
}

// The first draw is from the entry distribution.
TEST(EngineTest, SampledFirstExpertsFollowTheirRates) {
  ModelConfig config = RandomConfig(3);
  const Model model = RandomModel(config, 3);
  const auto engine = Engine::Create(Pack(model));
  Rng rng(3);
  const std::vector<float> input = RandomInput(config, rng);
  const PlainStep start = PlainForward(model, input, {})[0];
  constexpr int kDraws = 5000;
  std::map<int64_t, int> counts;
  for (int draw = 0; draw < kDraws; ++draw) {
    const int row =
        engine->Begin(input, {true, 1, static_cast<uint64_t>(draw)});
    engine->Step({&row, 1});
    engine->Step({&row, 1});
    ++counts[engine->step_info(row).expert];
    engine->End(row);
  }
  for (int64_t e = 0; e < config.total_experts(); ++e) {
    const double p = std::max(start.rates[e], 0.0);
    EXPECT_NEAR(counts[e], kDraws * p,
                6 * std::sqrt(kDraws * p * (1 - p)) + 0.5)
        << e;
  }
}

TEST(EngineTest, EndedHandlesAreUsedAgainAsIfNew) {
  const Model model = RandomModel(RandomConfig(1), 1);
  const auto packed = Pack(model);
  Rng rng(1);
  const std::vector<float> a = RandomInput(model.config, rng);
  const std::vector<float> b = RandomInput(model.config, rng);
  const auto fresh = Engine::Create(packed);
  const std::vector<Shown> want = RunToTheEnd(*fresh, b, {});

  const auto engine = Engine::Create(packed);
  const int first = engine->Begin(a, {true, 4, 2});
  const int second = engine->Begin(a, {});
  EXPECT_NE(first, second);
  EXPECT_EQ(engine->alive(), 2);
  for (int t = 0; t < 3; ++t) engine->Step(std::vector<int>{first, second});
  engine->End(first);
  EXPECT_EQ(engine->alive(), 1);
  const int reused = engine->Begin(b, {});
  EXPECT_EQ(reused, first);
  engine->End(reused);  // before any step
  const std::vector<Shown> got = RunToTheEnd(*engine, b, {});
  ASSERT_EQ(got.size(), want.size());
  for (size_t t = 0; t < got.size(); ++t) {
    EXPECT_EQ(got[t].info.expert, want[t].info.expert);
    EXPECT_EQ(got[t].probabilities, want[t].probabilities);
    EXPECT_EQ(got[t].progress.macs, want[t].progress.macs);
    EXPECT_EQ(got[t].progress.stable_steps, want[t].progress.stable_steps);
  }
  engine->End(second);
  EXPECT_EQ(engine->alive(), 0);
}

TEST(EngineTest, StepOfNoRowsDoesNothing) {
  const auto engine = Engine::Create(Pack(RandomModel(RandomConfig(1), 1)));
  engine->Step({});
  EXPECT_EQ(engine->alive(), 0);
}

TEST(EngineTest, TellsTheRowsThatShareEachExpert) {
  const Model model = RandomModel(RandomConfig(1), 1);
  std::map<int64_t, int64_t> shared;
  Engine::Options options;
  options.on_expert_batch = [](void* context, int64_t expert, int64_t rows) {
    (*static_cast<std::map<int64_t, int64_t>*>(context))[expert] += rows;
  };
  options.context = &shared;
  const auto engine = Engine::Create(Pack(model), options);
  Rng rng(1);
  std::vector<int> rows;
  for (int i = 0; i < 40; ++i) {
    rows.push_back(engine->Begin(RandomInput(model.config, rng), {}));
  }
  engine->Step(rows);
  EXPECT_TRUE(shared.empty());
  engine->Step(rows);
  std::map<int64_t, int64_t> ran;
  for (const int row : rows) ++ran[engine->step_info(row).expert];
  EXPECT_EQ(shared, ran);
}

// Finite input may overflow inside: the row must still come to an end.
TEST(EngineTest, EndsRowsWhoseNumbersOverflow) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Model model = RandomModel(RandomConfig(seed), seed);
    const auto engine = Engine::Create(Pack(model));
    const std::vector<float> input(model.config.input.size(), 3e38f);
    for (const bool sampled : {false, true}) {
      const auto steps = RunToTheEnd(*engine, input, {sampled, seed, 0});
      EXPECT_LE(static_cast<int64_t>(steps.size()),
                model.config.total_experts() + 1);
    }
  }
}

}  // namespace
}  // namespace mre
