// A row's results are the same, bit for bit, alone and in company: the reason
// why clients' rows may share products.
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "model/base/cpus.h"
#include "model/engine/engine.h"
#include "model/math/parallel.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

// All that a client could see of one step, as bits.
std::vector<uint32_t> Bits(const Engine& engine, int row) {
  const Progress& progress = engine.progress(row);
  const StepInfo& info = engine.step_info(row);
  std::vector<uint32_t> bits = {progress.step,
                                static_cast<uint32_t>(progress.macs),
                                progress.stable_steps,
                                progress.exhausted,
                                std::bit_cast<uint32_t>(progress.confidence),
                                std::bit_cast<uint32_t>(progress.ray_coverage),
                                static_cast<uint32_t>(info.expert),
                                static_cast<uint32_t>(info.top_class)};
  for (const int32_t expert : info.experts) {
    bits.push_back(static_cast<uint32_t>(expert));
  }
  for (const float p : engine.probabilities(row)) {
    bits.push_back(std::bit_cast<uint32_t>(p));
  }
  return bits;
}

constexpr size_t kStableSteps = 2;  // where Bits has them

struct Task {
  std::vector<float> input;
  Routing routing;
  Thresholds thresholds;                     // of a raytracing
  std::vector<std::vector<uint32_t>> alone;  // bits of each step
};

std::vector<Task> MakeTasks(const std::shared_ptr<const PackedModel>& model,
                            int count, bool sampled, Rng& rng) {
  std::vector<Task> tasks(count);
  for (Task& task : tasks) {
    task.input = RandomInput(model->config(), rng);
    task.routing = {sampled, rng.Next(), rng.Below(5)};
    if (model->config().kind == Kind::kRaytracing && rng.Below(2) == 0) {
      task.thresholds.theta_decay =
          static_cast<float>(0.3 + 0.6 * rng.Uniform());
    }
    const auto engine = Engine::Create(model);
    const int row = engine->Begin(task.input, task.routing, task.thresholds);
    do {
      engine->Step({&row, 1});
      task.alone.push_back(Bits(*engine, row));
    } while (!engine->progress(row).exhausted);
  }
  return tasks;
}

struct Running {
  int row;
  const Task* task;
  bool quiet;
  size_t step = 0;  // that are shown
};

// Steps up to `most` rows in an engine where rows join, skip steps, are
// computed ahead, stop and end at random. Returns how many steps differed from
// those alone.
int Mingle(const std::shared_ptr<const PackedModel>& model,
           const std::vector<Task>& tasks, size_t most, int steps, Rng& rng) {
  const auto engine = Engine::Create(model);
  std::vector<Running> running;
  int different = 0;
  for (int step = 0; step < steps; ++step) {
    while (running.size() < most && rng.Below(8) != 0) {
      const Task& task = tasks[rng.Below(tasks.size())];
      const bool quiet = rng.Below(3) == 0;
      running.push_back(
          {engine->Begin(task.input, task.routing, task.thresholds, quiet),
           &task, quiet});
    }
    rng.Shuffle(running);
    std::vector<int> rows;
    const size_t stepping = running.size() - rng.Below(running.size() / 2 + 1);
    for (size_t i = 0; i < stepping; ++i) rows.push_back(running[i].row);
    std::vector<int> ahead(rng.Below(2) == 0 ? 0 : stepping);
    for (size_t i = 0; i < ahead.size(); ++i) {
      ahead[i] =
          1 + static_cast<int>(rng.Below(
                  running[i].quiet ? Engine::kMostQuiet : Engine::kMostAhead));
    }
    engine->Step(rows, ahead);
    for (size_t i = 0; i < stepping; ++i) {
      Running& r = running[i];
      const size_t shown = engine->progress(r.row).step + size_t{1};
      if (!r.quiet) different += shown != r.step + 1;
      r.step = shown;
      std::vector<uint32_t> bits = Bits(*engine, r.row);
      // A quiet row's are of those that it showed.
      if (r.quiet) bits[kStableSteps] = r.task->alone[shown - 1][kStableSteps];
      different += bits != r.task->alone[shown - 1];
    }
    std::erase_if(running, [&](const Running& r) {
      const bool ends = r.step == r.task->alone.size() || rng.Below(40) == 0;
      if (ends) engine->End(r.row);
      return ends;
    });
  }
  return different;
}

struct Case {
  Precision precision;
  bool sampled;
};
std::string NameOf(const Case& c) {
  return absl::StrCat(PrecisionName(c.precision),
                      c.sampled ? "_sampled" : "_greedy");
}
void PrintTo(const Case& c, std::ostream* out) { *out << NameOf(c); }

class EngineIsolationTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().precision == Precision::kBf16 && !CpuHasBf16()) {
      GTEST_SKIP() << "this CPU has no bf16 products";
    }
  }
  void TearDown() override { SetThreads(AvailableThreads()); }

  void ExpectSameBits(const ModelConfig& config, uint64_t seed, int steps) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    auto packed =
        PackedModel::Create(RandomModel(config, seed), GetParam().precision);
    ASSERT_THAT(packed, IsOk());
    const std::shared_ptr<const PackedModel> model = *std::move(packed);
    Rng rng(seed);
    const std::vector<Task> tasks =
        MakeTasks(model, 30, GetParam().sampled, rng);
    for (const size_t most : {1, 2, 5, 17, 64, 65, 150, 300}) {
      EXPECT_EQ(Mingle(model, tasks, most, steps, rng), 0)
          << "among up to " << most << " rows";
    }
  }
};

TEST_P(EngineIsolationTest, SmallModels) {
  for (uint64_t seed = 100; seed < 106; ++seed) {
    ExpectSameBits(RandomConfig(seed), seed, 30);
  }
}

TEST_P(EngineIsolationTest, OtherKinds) {
  for (const Kind kind : {Kind::kMre, Kind::kTopk, Kind::kPathmoe, Kind::kAdak,
                          Kind::kMlp, Kind::kRaytracing}) {
    for (uint64_t seed = 200; seed < 203; ++seed) {
      ExpectSameBits(RandomConfigOf(kind, seed), seed, 30);
    }
  }
}

TEST_P(EngineIsolationTest, ConvExperts) {
  for (const Kind kind : {Kind::kMre, Kind::kTopk, Kind::kAdak, Kind::kCnn}) {
    for (uint64_t seed = 300; seed < 302; ++seed) {
      ExpectSameBits(RandomConvConfigOf(kind, seed), seed, 15);
    }
  }
}

TEST_P(EngineIsolationTest, TheShippedShape) {
  for (const int threads : {1, 2}) {
    SetThreads(threads);
    ExpectSameBits(FashionConfig(), 7, 40);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, EngineIsolationTest,
                         testing::Values(Case{Precision::kF32, false},
                                         Case{Precision::kF32, true},
                                         Case{Precision::kBf16, false},
                                         Case{Precision::kBf16, true}),
                         [](const auto& param) { return NameOf(param.param); });

}  // namespace
}  // namespace mre
