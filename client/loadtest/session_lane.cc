#include "client/loadtest/session_lane.h"

#include <utility>

namespace mre {

SessionLane::~SessionLane() {
  std::unique_ptr<AsyncSession> last;
  {
    absl::MutexLock lock(&mu_);
    last = std::move(session_);
  }
  last.reset();  // Not under the lock: it waits for OnDone.
}

void SessionLane::Start(const v1::PredictRequest& request,
                        CallListener* listener) {
  std::unique_ptr<AsyncSession> old;  // Destroyed after the lock's end.
  absl::MutexLock lock(&mu_);
  if (ended_) {
    old = std::move(session_);
    session_ = calls_->OpenSession({}, this);
    ended_ = false;
  }
  open_[request.request_id()] = listener;
  // An error means that the stream has just ended: OnDone, which is still to
  // come, tells this listener too.
  session_->Open(request).IgnoreError();
}

void SessionLane::Cancel() {
  absl::MutexLock lock(&mu_);
  if (session_ != nullptr) session_->Cancel();
}

CallListener* SessionLane::Take(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto found = open_.find(id);
  if (found == open_.end()) return nullptr;
  CallListener* const listener = found->second;
  open_.erase(found);
  return listener;
}

void SessionLane::OnUpdate(const v1::PredictUpdate& update) {
  CallListener* listener = nullptr;
  {
    absl::MutexLock lock(&mu_);
    const auto found = open_.find(update.request_id());
    if (found == open_.end()) return;
    listener = found->second;
  }
  if (update.has_error()) {
    if (Take(update.request_id()) == nullptr) return;
    listener->OnDone({static_cast<absl::StatusCode>(update.error().code()),
                      update.error().message()});
    return;
  }
  listener->OnUpdate(update);
  for (const v1::Prediction& prediction : update.predictions()) {
    if (!prediction.final()) continue;
    if (Take(update.request_id()) != nullptr) {
      listener->OnDone(absl::OkStatus());
    }
    return;
  }
}

void SessionLane::OnDone(const absl::Status& status) {
  std::unordered_map<std::string, CallListener*> open;
  {
    absl::MutexLock lock(&mu_);
    ended_ = true;
    open.swap(open_);
  }
  const absl::Status reason =
      status.ok() ? absl::UnavailableError("the server ended the stream")
                  : status;
  for (const auto& [id, listener] : open) listener->OnDone(reason);
}

}  // namespace mre
