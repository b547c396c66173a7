#include "model/base/lock_order_checks.h"

#include "absl/synchronization/mutex.h"

namespace mre {

void TurnOffLockOrderChecks() {
#ifndef __SANITIZE_ADDRESS__
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
}

}  // namespace mre
