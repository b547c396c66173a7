// The engine, step by step, against the trainer's pass over all steps, for
// every kind of model: two implementations that share parameters and little
// else.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/engine/engine.h"
#include "model/math/elementwise.h"
#include "model/net/kinds.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

struct Case {
  Kind kind;
  const char* form;
  ModelConfig (*config)(Kind kind, uint64_t seed);
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << KindName(c.kind) << "_" << c.form;
}
Case Mlp(Kind kind) { return {kind, "mlp", RandomConfigOf}; }
Case Conv(Kind kind) { return {kind, "conv", RandomConvConfigOf}; }
Case Text(Kind kind) { return {kind, "text", RandomTextConfigOf}; }

class EngineNetworkTest : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    Kinds, EngineNetworkTest,
    testing::Values(Mlp(Kind::kMre), Mlp(Kind::kTopk), Mlp(Kind::kPathmoe),
                    Mlp(Kind::kAdak), Mlp(Kind::kMlp), Mlp(Kind::kRaytracing),
                    Conv(Kind::kMre), Conv(Kind::kTopk), Conv(Kind::kAdak),
                    Conv(Kind::kMlp), Conv(Kind::kCnn), Text(Kind::kMre),
                    Text(Kind::kTopk), Text(Kind::kPathmoe), Text(Kind::kMlp)),
    testing::PrintToStringParamName());

// As the trainer's batches have it.
std::vector<float> Scaled(const InputConfig& input,
                          const std::vector<float>& raw) {
  std::vector<float> x(raw.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = i % input.channels();
    x[i] = static_cast<float>((raw[i] * input.scale - input.mean[c]) /
                              input.std[c]);
  }
  return x;
}

TEST_P(EngineNetworkTest, EachStepIsOneOfTheWholePass) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    const Model model =
        RandomModel(GetParam().config(GetParam().kind, seed), seed);
    const ModelConfig& config = model.config;
    Rng rng(seed);
    const std::vector<float> raw = RandomInput(config, rng);
    const auto network = NewNetwork(config);
    const int64_t steps = network->max_steps();
    const std::vector<float> x = Scaled(config.input, raw);
    const Exits exits =
        network->Forward(model.params, x.data(), 1, {.steps = steps});
    // Rows of some kinds stop by themselves.
    const bool stops = !exits.weights.empty();
    const int64_t a_step = static_cast<int64_t>(exits.experts.size()) / steps;

    ASSERT_OK_AND_ASSIGN(std::shared_ptr<const PackedModel> packed,
                         PackedModel::Create(model, Precision::kF32));
    const auto engine = Engine::Create(packed);
    EXPECT_EQ(packed->max_steps(), steps);
    const int row = engine->Begin(raw, {});
    uint64_t macs = packed->cost().After(0);
    for (int64_t t = 0; t <= steps; ++t) {
      engine->Step({&row, 1});
      std::vector<float> p(config.num_classes());
      Softmax(exits.logits.data() + t * config.num_classes(),
              config.num_classes(), p.data());
      const auto got = engine->probabilities(row);
      for (size_t c = 0; c < p.size(); ++c) {
        ASSERT_NEAR(got[c], p[c], stops ? 1e-4 : 2e-5) << "step " << t;
      }
      const Progress& progress = engine->progress(row);
      EXPECT_EQ(progress.step, t);
      EXPECT_EQ(progress.exhausted, stops ? exits.weights[t] > 0 : t == steps);
      EXPECT_NEAR(progress.ray_coverage, exits.coverage[t], 1e-5);
      std::vector<int32_t> ran;
      if (t > 0 && stops) {
        const int64_t begin = exits.expert_begin[t - 1];
        const auto woken =
            exits.experts.subspan(begin, exits.expert_begin[t] - begin);
        ran.assign(woken.begin(), woken.end());
        macs = exits.macs[t];
      } else if (t > 0) {
        for (const int32_t e :
             exits.experts.subspan((t - 1) * a_step, a_step)) {
          if (e >= 0) ran.push_back(e);
        }
        macs += packed->cost().Step(ran.size());
      }
      // What a step costs at most, and what it did.
      EXPECT_EQ(progress.macs, macs);
      EXPECT_LE(progress.macs, packed->cost().After(t));
      if (!stops) {
        EXPECT_EQ(progress.next_step_macs, packed->cost().OneStep());
      }
      const StepInfo& info = engine->step_info(row);
      EXPECT_EQ(info.expert >= 0, !ran.empty());
      if (!ran.empty()) {
        EXPECT_THAT(ran, testing::Contains(info.expert));
      }
      if (ran.size() > 1) {
        EXPECT_THAT(info.experts, testing::ElementsAreArray(ran));
      } else {
        EXPECT_THAT(info.experts, testing::IsEmpty());
      }
      if (progress.exhausted) break;
    }
  }
}

}  // namespace
}  // namespace mre
