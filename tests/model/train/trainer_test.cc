#include "model/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <ostream>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/file.h"
#include "model/base/rng.h"
#include "model/data/text_windows.h"
#include "model/eval/eval_report.h"
#include "model/io/checkpoint.h"
#include "model/net/kinds.h"
#include "tests/model/train/trainer_fixture.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

// Turns `stop` true once it has been asked for the time so often: by a bar,
// about once a step.
class StoppingClock : public Clock {
 public:
  explicit StoppingClock(int readings) : left_(readings) {}

  absl::Time Now() const override {
    if (--left_ <= 0) stop_ = true;
    return absl::UnixEpoch();
  }
  const std::atomic<bool>& stop() const { return stop_; }

 private:
  mutable int left_;
  mutable std::atomic<bool> stop_ = false;
};

class InterruptedTrainerTest : public TrainerTest {
 protected:
  // Trains from `saved` on, or from the start, until the clock stops it.
  SavedRun Interrupt(const FitOptions& options, std::optional<SavedRun> saved,
                     int readings) {
    const StoppingClock clock(readings);
    ProgressBar bar(
        {.file = std::fopen("/dev/null", "w"), .bar = true, .clock = &clock});
    Trainer trainer(options, data_, data_.test, "test", state_, log_, bar);
    if (saved) {
      EXPECT_TRUE(trainer.Resume(*std::move(saved)).ok());
    }
    EXPECT_FALSE(*trainer.Run(clock.stop()));
    auto state = LoadRun(state_);
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }
};

struct KindCase {
  const char* kind;
  const char* expert;
};
void PrintTo(const KindCase& kind_case, std::ostream* out) {
  *out << kind_case.kind << " of " << kind_case.expert;
}

// A test a kind, not one of all, so that they can run side by side.
class KindTest : public InterruptedTrainerTest,
                 public ::testing::WithParamInterface<KindCase> {};

TEST_P(KindTest, LearnsAndResumesToTheSameBytes) {
  const auto [kind, expert] = GetParam();
  FitOptions options = SmallOptions();
  options.kind = kind;
  options.expert = expert;
  // A map of 2x2 positions: small enough for the sanitizers' builds.
  options.patch = options.stride = 4;
  options.padding = 0;
  if (options.expert != "mlp") options.width = options.hidden = 8;
  options.max_steps = 0;
  options.experts = 0;
  options.top_k = 2;
  options.sharing = options.kind == "pathmoe" ? 2 : 1;
  if (options.kind == "mre" && options.expert == "mlp") options.sharing = 3;
  options.epochs = 30;
  if (options.kind == "mre") {
    options.router_training = "pairs";
    options.shared_lr = 0.5;
  }
  FillDefaults(options);
  ASSERT_TRUE(Validate(options).ok()) << Validate(options);
  auto trainer = Make(options);
  const std::atomic<bool> never = false;
  ASSERT_TRUE(*trainer->Run(never));
  EXPECT_GT(trainer->evaluation().steps.back().accuracy, 0.8);
  const Model whole = trainer->Result();
  const std::string bytes = SerializeCheckpoint(whole);
  const auto parsed = ParseCheckpoint(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->params, whole.params);
  EXPECT_EQ(KindName(parsed->config.kind), kind);

  // In the middle of an epoch, with moments of every parameter.
  SavedRun saved = Interrupt(options, {}, 10);
  EXPECT_GT(saved.state.step, 0);
  EXPECT_NE(saved.state.step % 5, 0);
  trainer = Make(options);
  ASSERT_TRUE(trainer->Resume(std::move(saved)).ok());
  ASSERT_TRUE(*trainer->Run(never));
  EXPECT_EQ(trainer->Result().params, whole.params);
}

INSTANTIATE_TEST_SUITE_P(Every, KindTest,
                         ::testing::ValuesIn<KindCase>({{"mre", "mlp"},
                                                        {"topk", "mlp"},
                                                        {"pathmoe", "mlp"},
                                                        {"adak", "mlp"},
                                                        {"mlp", "mlp"},
                                                        {"mre", "conv"},
                                                        {"topk", "conv"},
                                                        {"adak", "conv"},
                                                        {"mlp", "conv"},
                                                        {"cnn", "conv"},
                                                        {"raytracing", "mlp"}}),
                         [](const auto& info) {
                           return absl::StrCat(info.param.kind, "_of_",
                                               info.param.expert);
                         });

TEST_F(TrainerTest, MaxUpdatesEndsInTheMiddleOfAnEpoch) {
  FitOptions options = SmallOptions();  // 5 batches an epoch
  options.max_updates = 7;
  auto trainer = Make(options);
  const std::atomic<bool> never = false;
  ASSERT_TRUE(*trainer->Run(never));
  EXPECT_EQ(trainer->step(), 7);
  // What was evaluated last is what results.
  const Model model = trainer->Result();
  const Evaluation again = Evaluate(model, data_.test, options.max_steps);
  for (size_t t = 0; t < again.steps.size(); ++t) {
    EXPECT_EQ(trainer->evaluation().steps[t].loss, again.steps[t].loss);
  }
  options.max_updates = 21;  // later than the last epoch's end
  trainer = Make(options);
  ASSERT_TRUE(*trainer->Run(never));
  EXPECT_EQ(trainer->step(), 20);
}

// A text of which a model that sees only one character back knows too little:
// what follows an "a" is told by what stands two before it.
TEST_F(TrainerTest, TextIsLearnedByEveryKind) {
  std::string text;
  Rng rng(3);
  for (int i = 0; i < 300; ++i) {
    const char* const words[] = {"xaab ", "yaac ", "zad "};
    text += words[rng.Below(3)];
  }
  auto task = CutWindows(text, 6);
  ASSERT_TRUE(task.ok()) << task.status();
  data_ = {"text", {1, 6, 1}, task->classes, task->train, task->test};
  data_.text = true;
  for (const char* kind : {"mre", "topk", "pathmoe", "mlp"}) {
    SCOPED_TRACE(kind);
    FitOptions options = SmallOptions();
    options.kind = kind;
    options.dataset = "text";
    options.window = 6;
    options.embedding = 5;
    options.augment = "none";
    options.max_steps = 0;
    options.experts = 0;
    options.epochs = 12;
    FillDefaults(options);
    ASSERT_TRUE(Validate(options).ok()) << Validate(options);
    auto trainer = Make(options);
    const std::atomic<bool> never = false;
    ASSERT_TRUE(*trainer->Run(never));
    // A word is drawn evenly, everything else follows: log(3) nats a word of
    // 4 2/3 characters on average.
    const double entropy = std::log(3) / (14.0 / 3);
    const StepQuality& last = trainer->evaluation().steps.back();
    EXPECT_LT(last.loss, 1.5 * entropy);
    EXPECT_GT(last.loss, 0.7 * entropy);
    const std::string table = FormatTable(trainer->evaluation());
    EXPECT_THAT(table, HasSubstr("  perplexity\n"));
    EXPECT_THAT(table,
                HasSubstr(absl::StrFormat("  %8.4f\n", std::exp(last.loss))));
  }
}

TEST_F(TrainerTest, LearnsWhatALinearModelCannot) {
  FitOptions options = SmallOptions();
  options.epochs = 60;
  auto trainer = Make(options);
  const std::atomic<bool> never = false;
  ASSERT_TRUE(trainer->Run(never).ok());
  const Evaluation& evaluation = trainer->evaluation();
  ASSERT_EQ(evaluation.steps.size(), 8);
  EXPECT_GT(evaluation.steps.back().accuracy, 0.8);
  EXPECT_GT(evaluation.steps.back().macs, evaluation.steps[1].macs);
}

// The knob between accuracy and compute.
TEST_F(TrainerTest, AnAdakRunsFewerExpertsTheMoreTheyCost) {
  std::vector<double> mean;
  for (const double price : {0.0, 0.01, 1.0}) {
    FitOptions options = SmallOptions();
    options.kind = "adak";
    options.experts = 6;
    options.top_k = options.max_steps = 0;
    options.epochs = 80;
    options.expert_cost = price;
    FillDefaults(options);
    ASSERT_TRUE(Validate(options).ok()) << Validate(options);
    auto trainer = Make(options);
    const std::atomic<bool> never = false;
    ASSERT_TRUE(*trainer->Run(never));
    mean.push_back(trainer->evaluation().experts.mean);
    EXPECT_GE(trainer->evaluation().experts.fewest, 3);
    EXPECT_LE(trainer->evaluation().experts.most, 12);
  }
  EXPECT_GT(mean[0], mean[1] + 0.5);
  EXPECT_GT(mean[1], mean[2] + 0.5);
  EXPECT_LT(mean[2], 4);  // one in each of the three layers, or nearly
}

TEST_F(InterruptedTrainerTest, AStoppedRunGoesOnToTheSameBytes) {
  const FitOptions options = SmallOptions();  // 20 steps
  const std::string whole = Train(options);
  std::optional<SavedRun> saved;
  for (const int readings : {1, 4, 10, 4}) {
    const int64_t before = saved ? saved->state.step : 0;
    // No bit depends on these.
    FitOptions part = options;
    part.save_every = readings;
    part.log_every = 2;
    saved = Interrupt(part, std::move(saved), readings);
    EXPECT_GE(saved->state.step, before + (readings > 1 ? 1 : 0));
  }
  EXPECT_GT(saved->state.step, 5);
  EXPECT_LT(saved->state.step, 20);
  auto trainer = Make(options);
  ASSERT_TRUE(trainer->Resume(*std::move(saved)).ok());
  const std::atomic<bool> never = false;
  ASSERT_TRUE(*trainer->Run(never));
  EXPECT_EQ(SerializeCheckpoint(trainer->Result()), whole);
}

// What plans vary has to reach the network, the loss and the optimiser.
TEST_F(TrainerTest, EveryFieldChangesTheResult) {
  FitOptions options = SmallOptions();
  options.max_updates = 2;
  options.ema = 0;
  options.router_training = "straight-through";
  FillDefaults(options);
  const Model usual = TrainModel(options);
  const auto with = [&](auto set) {
    FitOptions other = options;
    set(other);
    EXPECT_TRUE(Validate(other).ok()) << Validate(other);
    return TrainModel(other).params;
  };
  using O = FitOptions;
  EXPECT_NE(with([](O& o) { o.router_lr = 0.5; }), usual.params);
  EXPECT_NE(with([](O& o) { o.distillation = 0.5; }), usual.params);
  EXPECT_NE(with([](O& o) { o.clip = 1e-3; }), usual.params);
  EXPECT_NE(with([](O& o) { o.temperature = 0.5; }), usual.params);
  EXPECT_NE(with([](O& o) { o.noise = 1; }), usual.params);
  EXPECT_NE(with([](O& o) { o.weight_decay = 0; }), usual.params);
  EXPECT_NE(with([](O& o) { o.exit_weights = "last"; }), usual.params);
  EXPECT_NE(with([](O& o) { o.router_training = "pairs"; }), usual.params);
  EXPECT_NE(with([](O& o) { o.shared_lr = 1; }), usual.params);
  // A router without a rate stays where it began, and it alone.
  const std::vector<float> begin = with([](O& o) { o.lr = 0; });
  const std::vector<float> still = with([](O& o) { o.router_lr = 0; });
  for (const ParamSpec& spec : ParamsOf(usual.config).specs) {
    const auto same = [&](const std::vector<float>& params) {
      return std::equal(params.begin() + spec.offset,
                        params.begin() + spec.offset + spec.size,
                        begin.begin() + spec.offset);
    };
    const bool router = absl::StartsWith(spec.name, "router.");
    EXPECT_EQ(same(still), router) << spec.name;
    EXPECT_FALSE(same(usual.params)) << spec.name;
  }
}

TEST_F(TrainerTest, RefusesAStateOfOtherData) {
  const std::atomic<bool> at_once = true;
  ASSERT_FALSE(*Make(SmallOptions())->Run(at_once));
  auto saved = LoadRun(state_);
  ASSERT_TRUE(saved.ok());
  data_.train.images[0] ^= 1;
  EXPECT_THAT(std::string(Make(SmallOptions())->Resume(*saved).message()),
              HasSubstr("other data"));
  // The same bytes in another order have the same statistics.
  data_.train.images[0] ^= 1;
  EXPECT_TRUE(Make(SmallOptions())->Resume(*saved).ok());
  const auto other =
      std::adjacent_find(data_.train.labels.begin(), data_.train.labels.end(),
                         std::not_equal_to<>());
  std::iter_swap(other, other + 1);
  EXPECT_THAT(std::string(Make(SmallOptions())->Resume(*saved).message()),
              HasSubstr("other data"));
}

TEST_F(TrainerTest, RefusesDamagedStates) {
  const std::atomic<bool> at_once = true;
  ASSERT_FALSE(*Make(SmallOptions())->Run(at_once));
  const std::string bytes = *ReadFile(state_);
  for (size_t size = 0; size < bytes.size(); size += 997) {
    WriteBytes(state_, bytes.substr(0, size));
    EXPECT_FALSE(LoadRun(state_).ok()) << size;
  }
}

}  // namespace
}  // namespace mre
