#include "client/loadtest/recorder.h"

#include <utility>

namespace mre {

Recorder::Recorder(const Options& options) : options_(options) {
  for (Shard& shard : shards_) {
    absl::MutexLock lock(&shard.mu);
    shard.classes.resize(options.classes);
  }
}

void Recorder::OpenWindow(Nanos from, Nanos to) {
  from_ = from;
  to_ = to;
}

void Recorder::CloseWindow(Nanos to) { to_ = to; }

void Recorder::Add(const v1::Prediction& prediction, Nanos now,
                   Record& record) {
  const auto gap = record.Add(prediction, options_.confidence, now);
  const bool measured = InWindow(record.intended);
  const bool counted = InWindow(now);
  if (!measured && !counted) return;
  Shard& shard = ShardOf(record);
  absl::MutexLock lock(&shard.mu);
  ClassResult& result = shard.classes[record.client_class];
  if (counted) ++result.window.predictions;
  if (measured && gap.has_value()) {
    result.tally.step_gap.Add(static_cast<uint64_t>(*gap));
  }
}

void Recorder::End(const Record& record) {
  Shard& shard = ShardOf(record);
  absl::MutexLock lock(&shard.mu);
  ++shard.progress.ended;
  if (record.status.ok()) {
    ++shard.progress.ok;
    shard.progress.recent.Add(record.Since(record.ended));
  } else if (absl::IsUnavailable(record.status)) {
    ++shard.progress.unavailable;
  }
  ClassResult& result = shard.classes[record.client_class];
  if (record.status.ok() && InWindow(record.ended)) ++result.window.ok;
  if (InWindow(record.intended)) result.tally.Add(record, options_.objective);
}

std::vector<ClassResult> Recorder::Results() const {
  std::vector<ClassResult> results(options_.classes);
  for (const Shard& shard : shards_) {
    absl::MutexLock lock(&shard.mu);
    for (size_t i = 0; i < results.size(); ++i) {
      results[i].tally.Merge(shard.classes[i].tally);
      results[i].window.ok += shard.classes[i].window.ok;
      results[i].window.predictions += shard.classes[i].window.predictions;
    }
  }
  return results;
}

Recorder::Progress Recorder::TakeProgress() {
  Progress all;
  for (Shard& shard : shards_) {
    absl::MutexLock lock(&shard.mu);
    all.ended += shard.progress.ended;
    all.ok += shard.progress.ok;
    all.unavailable += shard.progress.unavailable;
    all.recent.Merge(shard.progress.recent);
    shard.progress.recent = Histogram();
  }
  return all;
}

}  // namespace mre
