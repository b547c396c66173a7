#include "server/metrics/model_statistics.h"

namespace mre {

void ModelStatistics::AtomicTotal::Add(uint64_t count, absl::Duration time) {
  count_.fetch_add(count, std::memory_order_relaxed);
  ns_.fetch_add(static_cast<uint64_t>(absl::ToInt64Nanoseconds(time)),
                std::memory_order_relaxed);
}

ModelStatistics::Total ModelStatistics::AtomicTotal::Look() const {
  return {count_.load(std::memory_order_relaxed),
          ns_.load(std::memory_order_relaxed)};
}

void ModelStatistics::Stepped(const PassReport& pass) {
  for (size_t i = 0; i < pass.steps.size(); ++i) {
    const StepTally& tally = pass.steps[i];
    if (tally.rows == 0) continue;
    Step& step = steps_[pass.first_step + i];
    step.passes.Add(tally.rows, pass.took * tally.first);
    step.elapsed.Add(tally.rows, tally.elapsed);
  }
  if (!pass.computed) return;
  Bump(passes_);
  if (pass.rows <= kLargestBatch) batches_[pass.rows - 1].Add(1, pass.took);
}

void ModelStatistics::RequestEnded(bool answered, absl::Duration took,
                                   absl::Time now) {
  (answered ? success_ : fail_).Add(1, took);
  if (answered) {
    last_answer_ns_.store(absl::ToUnixNanos(now), std::memory_order_relaxed);
  }
}

ModelStatistics::Snapshot ModelStatistics::Look() const {
  Snapshot snapshot;
  const int64_t last = last_answer_ns_.load(std::memory_order_relaxed);
  if (last != 0) snapshot.last_answer = absl::FromUnixNanos(last);
  snapshot.rows_finished = rows_finished_.load(std::memory_order_relaxed);
  snapshot.passes = passes_.load(std::memory_order_relaxed);
  snapshot.success = success_.Look();
  snapshot.fail = fail_.Look();
  snapshot.queue = queue_.Look();
  snapshot.read = read_.Look();
  snapshot.made = made_.Look();
  for (const Step& step : steps_) {
    snapshot.steps.push_back({step.passes.Look(), step.elapsed.Look()});
  }
  for (int64_t i = 0; i < kLargestBatch; ++i) {
    const Total total = batches_[i].Look();
    if (total.count > 0) snapshot.batches.push_back({i + 1, total});
  }
  return snapshot;
}

}  // namespace mre
