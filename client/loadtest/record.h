// One request: when what came.
#ifndef MRE_CLIENT_LOADTEST_RECORD_H_
#define MRE_CLIENT_LOADTEST_RECORD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "client/loadtest/nanos.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// All latencies count from `intended`: the time at which an open loop's request
// was due, even if it could not be started then. In a closed loop it is the
// time of the start.
struct Record {
  uint64_t index = 0;
  size_t client_class = 0;
  std::optional<uint32_t> label;
  Nanos intended = 0;
  Nanos started = 0;

  uint64_t predictions = 0;
  Nanos first = 0;      // The first prediction came; 0: none yet.
  Nanos latest = 0;     // The latest one came.
  Nanos confident = 0;  // The first that was as sure as asked; 0: none yet.

  // What the final prediction said.
  bool final = false;
  v1::StopReason stop_reason = v1::STOP_REASON_UNSPECIFIED;
  uint32_t steps = 0;
  uint64_t macs = 0;
  std::optional<bool> right;  // Against the label; unset without one.

  Nanos ended = 0;
  absl::Status status;  // Of the call; meaningful once it has ended.

  // The latency of what happened at `time`.
  uint64_t Since(Nanos time) const {
    return static_cast<uint64_t>(std::max<Nanos>(time - intended, 0));
  }

  // A prediction came at `now`; `confidence` is how sure one has to be. Returns
  // the time since the one before, nullopt for the first. Those that come in
  // one message come at one time.
  std::optional<Nanos> Add(const v1::Prediction& prediction, double confidence,
                           Nanos now);

  // The call has ended. One that ended well without a final prediction has
  // failed all the same.
  void End(const absl::Status& call_status, Nanos now);
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_RECORD_H_
