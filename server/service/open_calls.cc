#include "server/service/open_calls.h"

#include <utility>
#include <vector>

#include "model/base/log.h"

namespace mre {

std::string OpenCall::CutOff() {
  std::string peer = rpc_->peer();
  rpc_->TryCancel();
  return peer;
}

void OpenCalls::Enter(OpenCall* call) {
  bool drain = false;
  {
    absl::MutexLock lock(&mu_);
    calls_.insert(call);
    drain = draining_ && call->at_drain_ == OpenCall::AtDrain::kIsTold;
  }
  if (drain) call->Drain();
}

void OpenCalls::Leave(OpenCall* call) {
  absl::MutexLock telling(&telling_mu_);
  absl::MutexLock lock(&mu_);
  calls_.erase(call);
}

std::vector<OpenCall*> OpenCalls::Stalled(absl::Time now) {
  const int64_t since = absl::ToUnixNanos(now - stall_limit_);
  std::vector<OpenCall*> stalled;
  absl::MutexLock lock(&mu_);
  for (OpenCall* call : calls_) {
    if (call->sending_since_.load(std::memory_order_relaxed) <= since) {
      stalled.push_back(call);
    }
  }
  return stalled;
}

void OpenCalls::CutOffStalled() {
  std::vector<std::string> peers;
  int64_t left_out = 0;
  {
    absl::MutexLock telling(&telling_mu_);
    const absl::Time now = clock_.Now();
    for (OpenCall* call : Stalled(now)) {
      // Once is enough.
      call->cut_off_.store(true, std::memory_order_relaxed);
      call->SendEnds();
      std::string peer = call->CutOff();
      if (lines_.Take(now)) peers.push_back(std::move(peer));
    }
    left_out = lines_.TakeLeftOut();
  }
  // Without a lock: who reads the log may be slow.
  for (const std::string& peer : peers) {
    Log(Severity::kWarning, "cancelled a call: its client does not read",
        {{"peer", peer}});
  }
  if (left_out > 0) {
    Log(Severity::kWarning, "cancelled more calls: their clients do not read",
        {{"calls", left_out}});
  }
}

void OpenCalls::TellLeaving() {
  absl::MutexLock lock(&mu_);
  leaving_ = true;
}

bool OpenCalls::leaving() const {
  absl::MutexLock lock(&mu_);
  return leaving_;
}

void OpenCalls::Drain() {
  absl::MutexLock telling(&telling_mu_);
  std::vector<OpenCall*> told;
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    for (OpenCall* call : calls_) {
      if (call->at_drain_ == OpenCall::AtDrain::kIsTold) told.push_back(call);
    }
  }
  for (OpenCall* call : told) call->Drain();
}

bool OpenCalls::AwaitNone(absl::Duration limit) {
  const auto none = [this] {
    mu_.AssertHeld();
    return calls_.empty();
  };
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&none), limit);
}

}  // namespace mre
