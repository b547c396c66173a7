// The passes of every kind in more than one thread: the same bits as in one,
// and, under the thread sanitizer, no two threads at one place.
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <vector>

#include "model/base/cpus.h"
#include "model/base/rng.h"
#include "model/math/parallel.h"
#include "model/net/kinds.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

struct Case {
  Kind kind;
  const char* form;
  ModelConfig (*config)(Kind kind, uint64_t seed);
  RouterTraining router = RouterTraining::kStraightThrough;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << KindName(c.kind) << "_" << c.form;
}

class ThreadsTest : public testing::TestWithParam<Case> {
 protected:
  void TearDown() override { SetThreads(AvailableThreads()); }
};

INSTANTIATE_TEST_SUITE_P(
    Kinds, ThreadsTest,
    testing::Values(Case{Kind::kMre, "mlp", RandomConfigOf},
                    Case{Kind::kMre, "pairs", RandomConfigOf,
                         RouterTraining::kPairs},
                    Case{Kind::kMre, "conv", RandomConvConfigOf},
                    Case{Kind::kMre, "text", RandomTextConfigOf},
                    Case{Kind::kTopk, "mlp", RandomConfigOf},
                    Case{Kind::kPathmoe, "text", RandomTextConfigOf},
                    Case{Kind::kAdak, "conv", RandomConvConfigOf},
                    Case{Kind::kCnn, "conv", RandomConvConfigOf},
                    Case{Kind::kRaytracing, "mlp", RandomConfigOf}),
    testing::PrintToStringParamName());

struct Result {
  std::vector<float> logits;
  std::vector<float> gradient;

  bool operator==(const Result&) const = default;
};

TEST_P(ThreadsTest, APassGivesTheSameBitsInAnyNumber) {
  constexpr int64_t kRows = 140;  // two blocks and a part of one
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    const Model model =
        RandomModel(GetParam().config(GetParam().kind, seed), seed);
    Rng rng(seed);
    std::vector<float> x;
    std::vector<uint8_t> labels;
    for (int64_t b = 0; b < kRows; ++b) {
      for (const float value : RandomInput(model.config, rng)) {
        x.push_back(model.config.text() ? value : value / 128 - 1);
      }
      labels.push_back(
          static_cast<uint8_t>(rng.Below(model.config.num_classes())));
    }
    const auto pass = [&](int threads) {
      SetThreads(threads);
      const std::unique_ptr<Network> network = NewNetwork(model.config);
      PassOptions options;
      options.steps = network->max_steps();
      options.noise = 0.3f;
      options.seed = seed;
      options.balance = 0.01;
      options.arrival = 0.02;
      options.router = GetParam().router;
      options.labels = labels;
      const std::vector<float> weights(
          options.steps + 1, 1 / static_cast<float>(options.steps + 1));
      options.step_weights = weights;
      const Exits exits =
          network->Forward(model.params, x.data(), kRows, options);
      std::vector<float> dlogits(exits.logits.size());
      ExitLoss(exits, model.config.num_classes(), labels.data(), weights,
               dlogits.data());
      Result result;
      result.logits.assign(exits.logits.begin(), exits.logits.end());
      result.gradient.resize(model.params.size());
      network->Backward(model.params, x.data(), dlogits.data(),
                        result.gradient);
      return result;
    };
    const Result alone = pass(1);
    for (const int threads : {2, 3}) {
      EXPECT_TRUE(pass(threads) == alone) << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace mre
