#include "model/engine/raytracing_engine.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

std::shared_ptr<const PackedModel> Pack(const Model& model) {
  auto packed = PackedModel::Create(model, Precision::kF32);
  EXPECT_THAT(packed, IsOk());
  return *std::move(packed);
}

// What one row's steps were.
struct Steps {
  std::vector<Progress> progress;
  std::vector<StepInfo> info;
  uint64_t products = 0;  // of blocks, in multiply-accumulates
};

void CountProduct(void* context, int64_t expert, int64_t rows) {
  auto* counted = static_cast<std::pair<const Cost*, uint64_t>*>(context);
  counted->second += counted->first->Expert(expert) * rows;
}

// Runs one row until it is exhausted. `retune`, if not null, is given to it
// after step `at`.
Steps Relax(const std::shared_ptr<const PackedModel>& model, uint64_t seed,
            const Thresholds& thresholds = {},
            const Thresholds* retune = nullptr, uint32_t at = 0) {
  std::pair<const Cost*, uint64_t> counted = {&model->cost(), 0};
  const auto engine = Engine::Create(model, {CountProduct, &counted});
  Rng rng(seed);
  const int row =
      engine->Begin(RandomInput(model->config(), rng), {}, thresholds);
  Steps steps;
  do {
    engine->Step({&row, 1});
    if (retune != nullptr && engine->progress(row).step == at) {
      engine->Retune(row, *retune);
    }
    steps.progress.push_back(engine->progress(row));
    steps.info.push_back(engine->step_info(row));
  } while (!engine->progress(row).exhausted);
  steps.products = counted.second;
  return steps;
}

TEST(RaytracingEngineTest, CostsAreThoseOfItsProducts) {
  const ModelConfig config = RandomConfigOf(Kind::kRaytracing, 3);
  const Wiring wiring(config);
  const Cost cost = CostOf(config);
  EXPECT_EQ(cost.stem,
            config.raytracing.modules * config.width * wiring.inputs[0].size());
  for (int64_t e = 0; e < config.total_experts(); ++e) {
    EXPECT_EQ(cost.Expert(e), config.hidden * wiring.wires[e].size());
  }
  EXPECT_EQ(cost.head, config.num_classes() * wiring.output.size());
}

// A budget of multiply-accumulates must never be passed: what a step costs is
// at most what was foreseen, and what is counted is what ran.
TEST(RaytracingEngineTest, NoStepCostsMoreThanWasForeseen) {
  uint64_t foreseen = 0;
  uint64_t spent = 0;
  uint64_t most = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    const auto model =
        Pack(RandomModel(RandomConfigOf(Kind::kRaytracing, seed), seed));
    const Steps steps = Relax(model, seed);
    EXPECT_EQ(steps.progress[0].macs, model->cost().After(0));
    for (size_t t = 1; t < steps.progress.size(); ++t) {
      const uint64_t cost = steps.progress[t].macs - steps.progress[t - 1].macs;
      EXPECT_LE(cost, steps.progress[t - 1].next_step_macs) << "step " << t;
      foreseen += steps.progress[t - 1].next_step_macs;
      spent += cost;
      most += model->cost().OneStep();
    }
    EXPECT_EQ(steps.progress.back().macs,
              model->cost().stem + steps.products +
                  steps.progress.size() * model->cost().head);
    EXPECT_LE(steps.progress.back().macs,
              model->cost().After(model->max_steps()));
  }
  // The bound is worth something.
  EXPECT_LT(foreseen, 2 * spent);
  EXPECT_LT(foreseen, most);
}

// Blocks of layer 0 read modules alone, so that each runs once, however many
// steps it is awake for.
TEST(RaytracingEngineTest, ABlockWhoseInputStaysRunsOnce) {
  ModelConfig config = RandomConfigOf(Kind::kRaytracing, 4);
  config.layers = 1;
  config.experts = 3;
  config.raytracing.decay = 0.9;
  config.raytracing.max_steps = 30;
  config.raytracing.theta_out = 0.9 * config.raytracing.mass();
  const auto model = Pack(RandomModel(config, 4));
  const Steps steps = Relax(model, 4);
  EXPECT_GT(steps.progress.size(), 10u);
  EXPECT_EQ(steps.products, model->cost().each[0] + model->cost().each[1] +
                                model->cost().each[2]);
}

TEST(RaytracingEngineTest, StepsNameTheBlocksThatTheyWake) {
  size_t several = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto model =
        Pack(RandomModel(RandomConfigOf(Kind::kRaytracing, seed), seed));
    const Steps steps = Relax(model, seed);
    EXPECT_EQ(steps.info[0].expert, -1);
    std::vector<int64_t> woken;
    for (const StepInfo& info : steps.info) {
      if (!info.experts.empty()) {
        ++several;
        EXPECT_GT(info.experts.size(), 1u);
        EXPECT_THAT(info.experts, testing::Contains(info.expert));
        woken.insert(woken.end(), info.experts.begin(), info.experts.end());
      } else if (info.expert >= 0) {
        woken.push_back(info.expert);
      }
    }
    std::sort(woken.begin(), woken.end());
    EXPECT_EQ(std::adjacent_find(woken.begin(), woken.end()), woken.end())
        << "a block woke twice";
  }
  EXPECT_GT(several, 10u);
}

// theta_out is a dial: more mass, more steps. A smaller decay: fewer.
TEST(RaytracingEngineTest, ThresholdsOfARequestTakeThePlaceOfTheModels) {
  ModelConfig config = RandomConfigOf(Kind::kRaytracing, 6);
  config.raytracing.modules = 4;
  config.raytracing.theta_out = 1;
  config.raytracing.decay = 0.9;
  config.raytracing.max_steps = 200;
  const auto model = Pack(RandomModel(config, 6));
  const size_t usual = Relax(model, 6).progress.size();
  EXPECT_EQ(Relax(model, 6, {1, 0.9f}).progress.size(), usual);
  EXPECT_LT(Relax(model, 6, {0.2f, 0}).progress.size(), usual);
  EXPECT_LT(Relax(model, 6, {0, 0.5f}).progress.size(), usual);
  const Steps longer = Relax(model, 6, {3, 0});
  EXPECT_GT(longer.progress.size(), usual);
  EXPECT_GT(longer.progress.back().ray_coverage, 0.75f);

  // Also while the row runs: raised, it goes on; lowered, it ends at once.
  const Thresholds more = {3, 0};
  EXPECT_EQ(Relax(model, 6, {}, &more, 2).progress.size(),
            longer.progress.size());
  const Thresholds least = {1e-6f, 0};
  const Steps ended =
      Relax(model, 6, {3, 0}, &least, static_cast<uint32_t>(usual));
  EXPECT_EQ(ended.progress.size(), usual + 1);
  EXPECT_EQ(ended.progress.back().next_step_macs, 0u);
}

TEST(RaytracingEngineTest, TheBoundOfStepsEndsARowThatNothingReaches) {
  ModelConfig config = RandomConfigOf(Kind::kRaytracing, 7);
  config.raytracing.max_steps = 3;
  config.raytracing.decay = 0.99;
  config.raytracing.theta_out = 0.99 * config.raytracing.mass();
  const auto model = Pack(RandomModel(config, 7));
  const Steps steps = Relax(model, 7);
  EXPECT_EQ(steps.progress.size(), 4u);
  EXPECT_LT(steps.progress.back().ray_coverage, 0.99f);
}

}  // namespace
}  // namespace mre
