// The engine's multiply-accumulates a second against those of one dense product
// pair of the same total size: R rows through one expert of the same shape, in
// f32 by oneDNN itself, in bf16 by the engine's products, which are oneDNN's.
// Both run in one process, alternating; the ratio is taken run by run.
//
//   engine_bench
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "model/base/rng.h"
#include "model/engine/engine.h"
#include "model/engine/packed_mre.h"
#include "model/math/parallel.h"
#include "tests/bench/dense_pair.h"
#include "tests/bench/report.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRuns = 5;
constexpr double kSecondsARun = 0.4;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

ModelConfig Config(int64_t width, int64_t hidden) {
  ModelConfig config = FashionConfig();
  config.width = width;
  config.hidden = hidden;
  return config;
}

// Experts' MACs a second with `rows` rows active, through whole sequences: all
// that a step does is in the time (routing, heads, norms), the stem is not.
double EngineRate(const std::shared_ptr<const PackedModel>& model, int64_t rows,
                  int ahead) {
  const auto engine = Engine::Create(model);
  Rng rng(1);
  const std::vector<int> waves(rows, ahead);
  double seconds = 0;
  double macs = 0;
  const double step_macs =
      static_cast<double>(model->cost().expert) * static_cast<double>(rows);
  while (seconds < kSecondsARun) {
    std::vector<int> handles;
    for (int64_t i = 0; i < rows; ++i) {
      handles.push_back(engine->Begin(RandomInput(model->config(), rng), {}));
    }
    engine->Step(handles);  // step 0
    const Clock::time_point start = Clock::now();
    while (!engine->progress(handles[0]).exhausted) {
      engine->Step(handles, waves);
      macs += step_macs;
    }
    seconds += Since(start);
    for (const int handle : handles) engine->End(handle);
  }
  return macs / seconds;
}

double DenseRate(const PackedModel& model, int64_t rows) {
  const ModelConfig& config = model.config();
  const int64_t padded = LinearOp::PaddedRows(rows);
  const PackedParts& parts = static_cast<const PackedMre&>(model).parts();
  std::vector<float> x(padded * config.width, 0.5f);
  std::vector<float> hidden(padded * config.hidden);
  std::vector<float> y(padded * config.width);
  DensePair f32(rows, config.width, config.hidden);
  double macs = 0;
  const Clock::time_point start = Clock::now();
  while (Since(start) < kSecondsARun) {
    for (int i = 0; i < 16; ++i) {
      if (model.precision() == Precision::kF32) {
        f32.Run();
      } else {
        parts.RunExpert(0, x.data(), rows, hidden, y.data());
      }
      macs +=
          static_cast<double>(model.cost().expert) * static_cast<double>(rows);
    }
  }
  return macs / Since(start);
}

void Compare(int64_t width, int64_t hidden, Precision precision, int64_t rows,
             int ahead) {
  auto created =
      PackedModel::Create(RandomModel(Config(width, hidden), 1), precision);
  if (!created.ok()) {
    std::printf("%6ld %6ld  %-4s  %s\n", width, hidden,
                PrecisionName(precision).data(),
                std::string(created.status().message()).c_str());
    return;
  }
  const std::shared_ptr<const PackedModel> model = *std::move(created);
  std::vector<double> ratios, engine_rates, dense_rates;
  for (int run = 0; run < kRuns; ++run) {
    engine_rates.push_back(EngineRate(model, rows, ahead) / 1e9);
    dense_rates.push_back(DenseRate(*model, rows) / 1e9);
    ratios.push_back(engine_rates.back() / dense_rates.back());
  }
  const Spread ratio = SpreadOf(ratios);
  std::printf("%6ld %6ld  %-4s %6ld %5d %12.2f %12.2f   %.3f (%.3f-%.3f)\n",
              width, hidden, PrecisionName(precision).data(), rows, ahead,
              SpreadOf(engine_rates).median, SpreadOf(dense_rates).median,
              ratio.median, ratio.least, ratio.most);
}

// Two threads against one: within each product, and as two engines of half the
// rows each on a thread of its own.
void Scale(int64_t width, int64_t hidden, int64_t rows) {
  const std::shared_ptr<const PackedModel> model = *PackedModel::Create(
      RandomModel(Config(width, hidden), 1), Precision::kF32);
  std::vector<double> within, apart;
  for (int run = 0; run < kRuns; ++run) {
    SetThreads(1);
    const double one = EngineRate(model, rows, Engine::kMostAhead);
    SetThreads(2);
    within.push_back(EngineRate(model, rows, Engine::kMostAhead) / one);
    SetThreads(1);
    double rates[2];
    std::thread other([&] {
      SetThreads(1);
      rates[1] = EngineRate(model, rows / 2, Engine::kMostAhead);
    });
    rates[0] = EngineRate(model, rows / 2, Engine::kMostAhead);
    other.join();
    apart.push_back((rates[0] + rates[1]) / one);
  }
  const Spread a = SpreadOf(within);
  const Spread b = SpreadOf(apart);
  std::printf(
      "%6ld %6ld  f32  %6ld %5d   %.2f (%.2f-%.2f)   %.2f (%.2f-%.2f)\n", width,
      hidden, rows, Engine::kMostAhead, a.median, a.least, a.most, b.median,
      b.least, b.most);
}

int Main() {
  SetThreads(1);
  PrintMachine();
  std::printf(
      "one thread, 4 layers of 8 experts, medians of %d alternated runs\n"
      " width hidden  prec   rows ahead engine GMAC/s dense GMAC/s  ratio "
      "(range)\n",
      kRuns);
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    for (const int ahead : {1, 8}) {
      for (const int64_t rows : {1, 32, 256}) {
        Compare(64, 64, precision, rows, ahead);
      }
      for (const int64_t rows : {32, 256}) {
        Compare(256, 512, precision, rows, ahead);
      }
    }
  }
  std::printf(
      "two threads against one\n"
      " width hidden  prec   rows ahead   within products    two engines\n");
  Scale(64, 64, 256);
  Scale(256, 512, 256);
  return 0;
}

}  // namespace
}  // namespace mre

int main() { return mre::Main(); }
