#include "client/loadtest/record.h"

namespace mre {

std::optional<Nanos> Record::Add(const v1::Prediction& prediction,
                                 double confidence, Nanos now) {
  std::optional<Nanos> gap;
  if (predictions++ == 0) {
    first = now;
  } else {
    gap = now - latest;
  }
  latest = now;
  // As floats, so that what a server takes for 0.9 is as sure as 0.9.
  const bool sure = prediction.confidence() >= static_cast<float>(confidence);
  if (confident == 0 && sure) confident = now;
  if (!prediction.final()) return gap;
  final = true;
  stop_reason = prediction.stop_reason();
  steps = prediction.step();
  macs = prediction.macs();
  if (label.has_value() && !prediction.top().empty()) {
    right = prediction.top(0).class_index() == *label;
  }
  return gap;
}

void Record::End(const absl::Status& call_status, Nanos now) {
  ended = now;
  status = call_status;
  if (status.ok() && !final) {
    status = absl::InternalError("the call ended without a final prediction");
  }
}

}  // namespace mre
