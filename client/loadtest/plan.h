// Flags -> what the parts of a run take.
#ifndef MRE_CLIENT_LOADTEST_PLAN_H_
#define MRE_CLIENT_LOADTEST_PLAN_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/loadtest/class_mix.h"
#include "client/loadtest/flags.h"
#include "client/loadtest/recorder.h"
#include "client/loadtest/runner.h"
#include "client/loadtest/wire_transport.h"

namespace mre {

struct Plan {
  TransportOptions transport;
  LoadOptions load;  // Without the model.
  Recorder::Options recorder;
  ClassMix mix;
  // After the last start, requests may take this long to end.
  absl::Duration drain;
};

// Fills in the defaults that depend on other flags (`sessions`).
// INVALID_ARGUMENT, naming the flag, for what makes no sense.
absl::StatusOr<Plan> MakePlan(LoadtestFlags& flags);

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_PLAN_H_
