// Which rows to step next: all of them in lock-step, as the server does, in
// waves or one step at a time, against serving the expert that most rows wait
// for, and against the rows whose deadlines come first.
//
//   order_bench
//
// A closed loop on the engine alone: as many rows are always active, one that
// has run all its experts makes room for the next. Each row's order of experts
// is known from a run by itself before. Every row has a deadline, drawn between
// half and twice the time that a row takes in lock-step. Steps are of a step's
// whole work, the stem's included.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <vector>

#include "model/base/rng.h"
#include "model/engine/engine.h"
#include "model/math/parallel.h"
#include "tests/bench/report.h"
#include "tests/support/random_model.h"

namespace mre {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRuns = 5;
constexpr double kSecondsARun = 1;
constexpr size_t kTasks = 512;  // different inputs

double Seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

struct Task {
  std::vector<float> input;
  std::vector<int64_t> order;  // of its experts
};

struct Active {
  int handle = -1;
  const Task* task = nullptr;
  size_t step = 0;                 // experts run
  double began = 0, deadline = 0;  // seconds since the run's start

  int64_t next() const { return task->order[step]; }
};

enum class Order { kLockStep, kWaves, kLongestQueue, kFirstDeadline };
constexpr Order kOrders[] = {Order::kLockStep, Order::kWaves,
                             Order::kLongestQueue, Order::kFirstDeadline};
const char* NameOf(Order order) {
  switch (order) {
    case Order::kLockStep:
      return "all rows, one step";
    case Order::kWaves:
      return "all rows, waves of 8";
    case Order::kLongestQueue:
      return "longest expert queue";
    case Order::kFirstDeadline:
      return "first deadlines, half the rows";
  }
  return "";
}

std::vector<Task> MakeTasks(const std::shared_ptr<const PackedModel>& model) {
  std::vector<Task> tasks(kTasks);
  const auto engine = Engine::Create(model);
  Rng rng(1);
  for (Task& task : tasks) {
    task.input = RandomInput(model->config(), rng);
    const int row = engine->Begin(task.input, {});
    engine->Step({&row, 1});
    while (!engine->progress(row).exhausted) {
      engine->Step({&row, 1});
      task.order.push_back(engine->step_info(row).expert);
    }
    engine->End(row);
  }
  return tasks;
}

// Of `active`, which have all begun, those that step now.
std::vector<size_t> Choose(Order order, const std::vector<Active>& active,
                           int64_t experts) {
  std::vector<size_t> chosen(active.size());
  for (size_t i = 0; i < chosen.size(); ++i) chosen[i] = i;
  if (order == Order::kFirstDeadline) {
    const size_t half = std::max<size_t>(chosen.size() / 2, 1);
    std::nth_element(chosen.begin(), chosen.begin() + half - 1, chosen.end(),
                     [&](size_t a, size_t b) {
                       return active[a].deadline < active[b].deadline;
                     });
    chosen.resize(half);
  } else if (order == Order::kLongestQueue) {
    std::vector<int> waiting(experts, 0);
    for (const Active& row : active) ++waiting[row.next()];
    const int64_t longest =
        std::max_element(waiting.begin(), waiting.end()) - waiting.begin();
    std::erase_if(chosen,
                  [&](size_t i) { return active[i].next() != longest; });
  }
  return chosen;
}

struct Outcome {
  double steps_a_second = 0;
  double p50 = 0, p99 = 0;  // from a row's begin to its end, seconds
  double in_time = 0;       // share of rows
};

// `typical`: a row's time in lock-step; 0: not known yet, no deadlines.
Outcome Run(const std::shared_ptr<const PackedModel>& model,
            const std::vector<Task>& tasks, Order order, size_t rows,
            double typical) {
  const auto engine = Engine::Create(model);
  const int64_t experts = model->config().total_experts();
  Rng rng(2);
  std::vector<Active> active;
  std::vector<int> handles, ahead;
  std::vector<double> took;
  double steps = 0, in_time = 0;
  size_t next_task = 0;
  const Clock::time_point start = Clock::now();
  double now = 0;
  while (now < kSecondsARun) {
    handles.clear();
    while (active.size() < rows) {
      Active row;
      row.task = &tasks[next_task++ % tasks.size()];
      row.handle = engine->Begin(row.task->input, {});
      row.began = now;
      row.deadline = now + typical * (0.5 + 1.5 * rng.Uniform());
      handles.push_back(row.handle);
      active.push_back(row);
    }
    engine->Step(handles);  // step 0 of the new ones
    const std::vector<size_t> chosen = Choose(order, active, experts);
    handles.clear();
    for (const size_t i : chosen) handles.push_back(active[i].handle);
    ahead.assign(handles.size(),
                 order == Order::kWaves ? Engine::kMostAhead : 1);
    engine->Step(handles, ahead);
    // What was computed ahead is shown at once, as the server does.
    while (true) {
      std::erase_if(handles,
                    [&](int row) { return engine->Unshown(row) == 0; });
      if (handles.empty()) break;
      ahead.resize(handles.size());
      engine->Step(handles, ahead);
    }
    now = Seconds(Clock::now() - start);
    for (const size_t i : chosen) {
      Active& row = active[i];
      const size_t before = row.step;
      row.step = engine->progress(row.handle).step;
      steps += static_cast<double>(row.step - before);
      if (engine->progress(row.handle).exhausted) {
        took.push_back(now - row.began);
        in_time += now <= row.deadline;
        engine->End(row.handle);
        row.handle = -1;
      }
    }
    std::erase_if(active, [](const Active& row) { return row.handle < 0; });
  }
  // Those that are still there, and late by now, are late; how long the others
  // would have taken is not known.
  for (const Active& row : active) {
    if (now > row.deadline) took.push_back(now - row.began);
  }
  std::sort(took.begin(), took.end());
  Outcome outcome;
  outcome.steps_a_second = steps / now;
  if (took.empty()) return outcome;
  outcome.p50 = took[took.size() / 2];
  outcome.p99 = took[took.size() * 99 / 100];
  outcome.in_time = in_time / static_cast<double>(took.size());
  return outcome;
}

void Compare(int64_t width, int64_t hidden, size_t rows) {
  ModelConfig config = FashionConfig();
  config.width = width;
  config.hidden = hidden;
  const std::shared_ptr<const PackedModel> model =
      *PackedModel::Create(RandomModel(config, 1), Precision::kF32);
  const std::vector<Task> tasks = MakeTasks(model);
  const double typical = Run(model, tasks, Order::kLockStep, rows, 0).p50;
  std::vector<double> base;  // of lock-step, run by run
  std::vector<std::vector<Outcome>> outcomes(std::size(kOrders));
  for (int run = 0; run < kRuns; ++run) {
    for (size_t i = 0; i < std::size(kOrders); ++i) {
      outcomes[i].push_back(Run(model, tasks, kOrders[i], rows, typical));
    }
    base.push_back(outcomes[0].back().steps_a_second);
  }
  for (size_t i = 0; i < std::size(kOrders); ++i) {
    std::vector<double> ratios, p50, p99, in_time;
    for (int run = 0; run < kRuns; ++run) {
      const Outcome& outcome = outcomes[i][run];
      ratios.push_back(outcome.steps_a_second / base[run]);
      p50.push_back(1000 * outcome.p50);
      p99.push_back(1000 * outcome.p99);
      in_time.push_back(100 * outcome.in_time);
    }
    const Spread ratio = SpreadOf(ratios);
    std::printf("%5ld %6ld %5zu  %-31s %.2f (%.2f-%.2f) %8.2f %8.2f %6.1f\n",
                width, hidden, rows, NameOf(kOrders[i]), ratio.median,
                ratio.least, ratio.most, SpreadOf(p50).median,
                SpreadOf(p99).median, SpreadOf(in_time).median);
  }
}

int Main() {
  SetThreads(1);
  PrintMachine();
  std::printf(
      "one thread, 4 layers of 8 experts, f32, medians of %d alternated runs\n"
      "width hidden  rows  which rows step               steps/s against "
      "lock-step  p50 ms  p99 ms  in time %%\n",
      kRuns);
  for (const size_t rows : {64, 256}) {
    Compare(64, 64, rows);
    Compare(256, 512, rows);
  }
  return 0;
}

}  // namespace
}  // namespace mre

int main() { return mre::Main(); }
