// Where StepsUsed says that rows stop, against where the engine stops them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <span>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "model/engine/engine.h"
#include "model/eval/stop_simulation.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

constexpr int64_t kRows = 40;
// Engine and network multiply with kernels of their own. What they make of a
// row differs by rounding, up to 1e-4 (engine_network_test.cc); a row that
// comes this near to a limit is not compared.
constexpr float kNear = 3e-4f;

// A limit that about half the rows reach by two thirds of their steps, but not
// one that many reach exactly.
float Reached(const Outcomes& outcomes, const std::vector<float>& values) {
  std::vector<float> by_then;
  for (int64_t b = 0; b < outcomes.inputs; ++b) {
    by_then.push_back(values[b * outcomes.exits() + outcomes.last[b] * 2 / 3]);
  }
  std::sort(by_then.begin(), by_then.end());
  return by_then[by_then.size() / 2] - 2 * kNear;
}

struct Stop {
  int32_t step = 0;
  bool clear = true;  // no comparison was near
};

bool Near(float limit, float value) {
  return limit > 0 && std::abs(value - limit) < kNear;
}

// The top class may be another one where two are equally likely.
bool Clear(const Budget& budget, const Progress& progress,
           std::span<const float> probabilities) {
  std::vector<float> p(probabilities.begin(), probabilities.end());
  std::nth_element(p.begin(), p.begin() + 1, p.end(), std::greater<>());
  return p[0] - p[1] > kNear &&
         !Near(budget.min_confidence, progress.confidence) &&
         !Near(budget.min_ray_coverage, progress.ray_coverage);
}

// All rows of a split together, each until its budget stops it.
std::vector<Stop> RunEngine(std::shared_ptr<const PackedModel> model,
                            const Split& split, const Budget& budget) {
  const int64_t size = model->config().input.size();
  const auto engine = Engine::Create(std::move(model));
  std::vector<int> rows;
  for (int64_t b = 0; b < split.size(); ++b) {
    const auto image = split.images.begin() + b * size;
    rows.push_back(engine->Begin(std::vector<float>(image, image + size), {}));
  }
  std::map<int, Stop> stops;
  for (std::vector<int> live = rows; !live.empty();) {
    engine->Step(live);
    std::erase_if(live, [&](int row) {
      const Progress& progress = engine->progress(row);
      stops[row].step = static_cast<int32_t>(progress.step);
      stops[row].clear &= Clear(budget, progress, engine->probabilities(row));
      return CheckBudget(budget, progress) != StopReason::kNone;
    });
  }
  std::vector<Stop> in_order;
  for (const int row : rows) in_order.push_back(stops[row]);
  return in_order;
}

Split RandomSplit(const ModelConfig& config) {
  Split split;
  Rng rng(3);
  for (int64_t b = 0; b < kRows; ++b) {
    for (const float value : RandomInput(config, rng)) {
      split.images.push_back(static_cast<uint8_t>(value));
    }
    split.labels.push_back(0);  // of no interest
  }
  return split;
}

struct Case {
  Kind kind;
  ModelConfig (*config)(Kind kind, uint64_t seed) = RandomConfigOf;
};
void PrintTo(const Case& c, std::ostream* out) { *out << KindName(c.kind); }

class StopSimulationEngineTest : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Kinds, StopSimulationEngineTest,
                         testing::Values(Case{Kind::kMre}, Case{Kind::kTopk},
                                         Case{Kind::kPathmoe},
                                         Case{Kind::kAdak}, Case{Kind::kMlp},
                                         Case{Kind::kCnn, RandomConvConfigOf},
                                         Case{Kind::kRaytracing}),
                         testing::PrintToStringParamName());

TEST_P(StopSimulationEngineTest, EachRowStopsWhereTheEngineStopsIt) {
  ModelConfig config = GetParam().config(GetParam().kind, 2);
  config.layers = 4;
  if (config.has_router()) {
    config.experts = 4;
    config.top_k = 3;
  }
  config.raytracing.max_steps = 30;
  config.raytracing.theta_out = 0.25 * config.raytracing.mass();
  const Model model = RandomModel(config, 2);
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<const PackedModel> packed,
                       PackedModel::Create(model, Precision::kF32));
  const Split split = RandomSplit(config);
  const Outcomes outcomes = Observe(model, split, {.steps = MaxSteps(config)});
  const float confidence = Reached(outcomes, outcomes.confidence);
  const float coverage = Reached(outcomes, outcomes.coverage);
  ASSERT_GT(coverage, 0);
  const std::vector<Budget> budgets = {
      {},
      {.min_confidence = confidence},
      {.min_ray_coverage = coverage},
      {.stable_steps = 1},
      {.stable_steps = 2},
      {.min_confidence = confidence,
       .min_ray_coverage = coverage,
       .stable_steps = 2},
      {.stable_steps = 8},  // more than some have
  };
  for (size_t i = 0; i < budgets.size(); ++i) {
    SCOPED_TRACE(i);
    const std::vector<int32_t> simulated = StepsUsed(budgets[i], outcomes);
    const std::vector<Stop> stops = RunEngine(packed, split, budgets[i]);
    int64_t compared = 0;
    int64_t early = 0;
    for (int64_t b = 0; b < kRows; ++b) {
      if (!stops[b].clear) continue;
      ++compared;
      early += simulated[b] < outcomes.last[b] ? 1 : 0;
      EXPECT_EQ(simulated[b], stops[b].step) << "row " << b;
    }
    EXPECT_GT(compared, kRows / 2);
    if (budgets[i].stable_steps < 8) {
      EXPECT_EQ(early > 0, i > 0);  // the first has no limit
    }
  }
}

}  // namespace
}  // namespace mre
