#include "client/loadtest/tally.h"

namespace mre {

void Tally::Add(const Record& record, Nanos objective) {
  ++requests;
  start_delay.Add(record.Since(record.started));
  if (record.first != 0) first_prediction.Add(record.Since(record.first));
  if (!record.status.ok()) {
    Failure& failure = failures[record.status.code()];
    if (failure.count++ == 0) {
      failure.example = std::string(record.status.message());
    }
    return;
  }
  ++ok;
  latency.Add(record.Since(record.ended));
  if (record.ended - record.intended <= objective) ++good;
  if (record.confident != 0) confidence.Add(record.Since(record.confident));
  ++stops[record.stop_reason];
  steps += record.steps;
  macs += record.macs;
  if (record.right.has_value()) {
    ++labelled;
    if (*record.right) ++right;
  }
}

void Tally::Merge(const Tally& other) {
  latency.Merge(other.latency);
  first_prediction.Merge(other.first_prediction);
  confidence.Merge(other.confidence);
  step_gap.Merge(other.step_gap);
  start_delay.Merge(other.start_delay);
  requests += other.requests;
  ok += other.ok;
  good += other.good;
  for (const auto& [reason, count] : other.stops) stops[reason] += count;
  for (const auto& [code, failure] : other.failures) {
    Failure& mine = failures[code];
    mine.count += failure.count;
    if (mine.example.empty()) mine.example = failure.example;
  }
  steps += other.steps;
  macs += other.macs;
  labelled += other.labelled;
  right += other.right;
}

}  // namespace mre
