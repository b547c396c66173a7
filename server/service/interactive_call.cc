#include "server/service/interactive_call.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mre {
namespace {

// Requests with something to send take turns, one update a turn. A request that
// a client opened is refused in an update of its own; a message that breaks
// the protocol (no request_id, an id that is still open, no action) ends the
// stream.
//
// Locks are taken in the order: a request's listener lock, mu_, the request's
// outbox. So a request is detached (which takes the first) only without mu_:
// requests that have ended rest in ended_ until the next reaction of gRPC's.
class InteractiveCall
    : public grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>,
      public DrainableCall {
 public:
  InteractiveCall(const CallContext& context, grpc::CallbackServerContext* rpc)
      : context_(context), rpc_(rpc), record_(context, "PredictInteractive") {
    context_.metrics->StreamOpened();
    {
      absl::MutexLock lock(&mu_);
      StartRead(&control_);
    }
    context_.calls->Enter(this);
  }

  void OnReadDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    reading_ = false;
    if (!ok) {
      reads_done_ = true;
      MaybeEnd();
      return;
    }
    if (ending_) return;
    const absl::Status status = Handle(control_);
    if (!status.ok()) {
      EndWith(ToGrpcStatus(status));
      return;
    }
    ReadMore();
    WriteMore();
  }

  void OnWriteDone(bool ok) override {
    BuryEnded();
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (!ok && !ending_) {
      EndWith(CancelStatus(*rpc_));
    } else if (ending_) {
      FinishOnce();
    } else {
      ReadMore();
      WriteMore();
    }
  }

  void OnCancel() override {
    absl::MutexLock lock(&mu_);
    if (!ending_) EndWith(CancelStatus(*rpc_));
  }

  void OnDone() override {
    {
      absl::MutexLock lock(&mu_);
      for (auto& [id, open] : open_) ended_.push_back(std::move(open));
      open_.clear();
    }
    BuryEnded();
    context_.metrics->StreamClosed();
    context_.calls->Leave(this);
    delete this;
  }

  void Drain() override {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    MaybeEnd();
  }

 private:
  // One request of the stream.
  struct Open : public Request::Listener {
    explicit Open(InteractiveCall* call) : call(call) {}
    void OnReady() override { call->Ready(this); }

    InteractiveCall* const call;
    Admitted admitted;
    bool ready = false;  // stands in ready_; guarded by the call's mu_
  };

  void Ready(Open* open) {
    absl::MutexLock lock(&mu_);
    if (ending_) return;
    if (!std::exchange(open->ready, true)) ready_.push_back(open);
    WriteMore();
  }

  absl::Status Handle(const v1::PredictControl& control)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const std::string& id = control.request_id();
    if (id.empty()) {
      return absl::InvalidArgumentError("request_id: expected a name");
    }
    const auto it = open_.find(id);
    switch (control.action_case()) {
      case v1::PredictControl::kOpen:
        if (it != open_.end()) {
          return absl::InvalidArgumentError(absl::StrCat(
              "request_id: \"", id, "\" is still open on this stream"));
        }
        OpenRequest(id, control.open());
        return absl::OkStatus();
      case v1::PredictControl::kBudget:
        // One that has just ended is no error: its messages crossed ours.
        if (it != open_.end()) SetBudget(*it->second, id, control.budget());
        return absl::OkStatus();
      case v1::PredictControl::kStop:
        if (it != open_.end()) it->second->admitted.request->Stop();
        return absl::OkStatus();
      case v1::PredictControl::ACTION_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError(
        "action: expected one of open, budget, stop");
  }

  void OpenRequest(const std::string& id, const v1::PredictRequest& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    auto open = std::make_unique<Open>(this);
    absl::StatusOr<Admitted> admitted =
        Admit(context_, message, /*final_only=*/false, open.get(), &record_);
    absl::Status status = admitted.status();
    if (status.ok()) {
      open->admitted = *std::move(admitted);
      open->admitted.request_id = id;
      status = context_.scheduler->Submit(open->admitted.request);
    }
    if (status.ok()) {
      open_[id] = std::move(open);
    } else {
      Refuse(id, status);
    }
  }

  void SetBudget(Open& open, const std::string& id, const v1::Budget& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const absl::StatusOr<Budget> budget =
        ParseBudget(message, open.admitted.model->model->cost());
    if (budget.ok()) {
      open.admitted.request->SetBudget(*budget);
      return;
    }
    // It cannot go on with a budget that its client no longer wants.
    open.admitted.request->Cancel();
    Forget(&open);
    Refuse(id, budget.status());
  }

  void Refuse(const std::string& id, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    v1::PredictUpdate& update = refusals_.emplace_back();
    update.set_request_id(id);
    v1::Error* error = update.mutable_error();
    error->set_code(static_cast<int32_t>(status.code()));
    error->set_message(std::string(status.message()));
    if (absl::IsResourceExhausted(status)) {
      error->set_retry_after_ms(
          static_cast<uint32_t>(RetryAfterMillis(*context_.scheduler)));
    }
  }

  // Takes a request out of open_ and ready_.
  void Forget(Open* open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::erase(ready_, open);
    const auto it = open_.find(open->admitted.request_id);
    ended_.push_back(std::move(it->second));
    open_.erase(it);
  }

  void ReadMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (reading_ || reads_done_ || ending_) return;
    if (open_.size() + refusals_.size() + ended_.size() >= kMaxOpenRequests) {
      return;
    }
    reading_ = true;
    StartRead(&control_);
  }

  void WriteMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (!writing_ && !ending_) {
      update_.Clear();
      if (!refusals_.empty()) {
        update_ = std::move(refusals_.front());
        refusals_.pop_front();
      } else if (!ready_.empty()) {
        TakeTurn(ready_.front());
        if (update_.predictions().empty()) continue;
      } else {
        MaybeEnd();
        return;
      }
      writing_ = true;
      StartWrite(&update_);
    }
  }

  // Moves what the request has to say into update_.
  void TakeTurn(Open* open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ready_.pop_front();
    open->ready = false;
    const Admitted& admitted = open->admitted;
    const bool last = admitted.request->Take(batch_);
    FillUpdate(batch_, admitted.request_id, *admitted.model, admitted.output,
               &update_);
    if (last) Forget(open);
  }

  // Ends the stream when nothing is left to do on it.
  void MaybeEnd() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (ending_ || writing_ || !open_.empty() || !refusals_.empty()) return;
    if (reads_done_) {
      EndWith(grpc::Status::OK);
    } else if (draining_) {
      EndWith({grpc::StatusCode::UNAVAILABLE, "the server is shutting down"});
    }
  }

  void EndWith(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ending_ = true;
    status_ = status;
    for (auto& [id, open] : open_) open->admitted.request->Cancel();
    // Finish must wait for a write in flight.
    if (!writing_) FinishOnce();
  }

  void FinishOnce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(finished_, true)) return;
    record_.End(status_.error_code());
    Finish(status_);
  }

  void BuryEnded() {
    std::vector<std::unique_ptr<Open>> ended;
    {
      absl::MutexLock lock(&mu_);
      ended.swap(ended_);
    }
    for (const auto& open : ended) open->admitted.request->Detach();
  }

  const CallContext& context_;
  grpc::CallbackServerContext* const rpc_;

  absl::Mutex mu_;
  CallRecord record_ ABSL_GUARDED_BY(mu_);
  v1::PredictControl control_ ABSL_GUARDED_BY(mu_);
  v1::PredictUpdate update_ ABSL_GUARDED_BY(mu_);
  std::vector<Prediction> batch_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::unique_ptr<Open>> open_ ABSL_GUARDED_BY(mu_);
  std::deque<Open*> ready_ ABSL_GUARDED_BY(mu_);  // have something to say
  std::deque<v1::PredictUpdate> refusals_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Open>> ended_ ABSL_GUARDED_BY(mu_);
  bool reading_ ABSL_GUARDED_BY(mu_) = true;
  bool reads_done_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>*
StartPredictInteractive(const CallContext& context,
                        grpc::CallbackServerContext* rpc) {
  return new InteractiveCall(context, rpc);
}

}  // namespace mre
