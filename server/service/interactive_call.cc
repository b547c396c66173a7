#include "server/service/interactive_call.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// Requests with something to send take turns, one update a turn. A request that
// a client opened is refused in an update of its own; a message that breaks
// the protocol (no request_id, an id that is still open, no action) ends the
// stream.
//
// Locks are taken in the order: a request's listener lock, mu_, the scheduler's
// lock, the request's outbox. Each request counts as a call of its own in the
// metrics; the stream itself only as an open stream. A request is detached
// (which takes the first) only without mu_, so requests that have ended rest in
// ended_ until the next reaction of gRPC's.
class InteractiveCall
    : public grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>,
      public DrainableCall {
 public:
  InteractiveCall(const CallContext& context, grpc::CallbackServerContext* rpc)
      : context_(context), rpc_(rpc) {
    context_.metrics->StreamOpened();
    const absl::Status status =
        context_.door->Identify(*rpc_, Scope::kInfer).status();
    {
      absl::MutexLock lock(&mu_);
      if (status.ok()) {
        StartRead(&control_);
      } else {
        const grpc::Status wire = ToGrpcStatus(status);
        // No request of it will be counted.
        CallRecord(context_, Method::kPredictInteractive, rpc_)
            .End(wire.error_code(), wire.error_message());
        EndWith(wire);
      }
    }
    context_.calls->Enter(this);
  }

  void OnReadDone(bool ok) override {
    // Checking a large input takes a while: not under the lock, for which the
    // notifier would wait.
    std::unique_ptr<Open> opened;
    if (ok && control_.has_open()) opened = Parse();
    absl::MutexLock lock(&mu_);
    reading_ = false;
    if (!ok) {
      reads_done_ = true;
      MaybeEnd();
      return;
    }
    if (ending_) {
      Discard(opened.get(), status_);
      return;
    }
    const absl::Status status = Handle(opened);
    if (!status.ok()) {
      const grpc::Status wire = ToGrpcStatus(status);
      Discard(opened.get(), wire);
      EndWith(wire);
      return;
    }
    ReadMore();
    WriteMore();
  }

  void OnWriteDone(bool ok) override {
    BuryEnded();
    absl::MutexLock lock(&mu_);
    writing_ = false;
    context_.updates->Give(std::move(update_));
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
      context_.updates->Give(std::move(update_));
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
  // One request of the stream. The flags are guarded by the call's mu_.
  struct Open : public Request::Listener {
    explicit Open(InteractiveCall* call)
        : call(call),
          record(call->context_, Method::kPredictInteractive, call->rpc_) {}
    void OnReady() override { call->Ready(this); }
    // Nothing on the stream is read: no request of it can go on.
    void OnStalled() override { CancelStalled(call->rpc_); }

    InteractiveCall* const call;
    CallRecord record;
    Admitted admitted;
    absl::Status refusal;  // why it cannot be admitted
    bool ready = false;    // stands in ready_
    bool ended = false;    // forgotten; the engine may still say it is ready
  };

  void Ready(Open* open) {
    absl::MutexLock lock(&mu_);
    if (ending_ || open->ended) return;
    if (!std::exchange(open->ready, true)) ready_.push_back(open);
    WriteMore();
  }

  // What control_ opens, checked but not submitted.
  std::unique_ptr<Open> Parse() {
    auto open = std::make_unique<Open>(this);
    absl::StatusOr<Admitted> admitted = Admit(open.get());
    open->refusal = admitted.status();
    if (!control_.open().request_id().empty() &&
        control_.open().request_id() != control_.request_id()) {
      open->refusal = absl::InvalidArgumentError(
          "open.request_id: expected nothing, or the message's request_id");
    }
    if (admitted.ok()) open->admitted = *std::move(admitted);
    open->admitted.request_id = control_.request_id();
    open->record.set_request_id(control_.request_id());
    return open;
  }

  // Each request comes in by itself: it counts towards its token's rate, and
  // the token may have been taken away since the stream began.
  absl::StatusOr<Admitted> Admit(Open* open) {
    ASSIGN_OR_RETURN(const Caller caller,
                     context_.door->Enter(*rpc_, Scope::kInfer));
    open->record.set_caller(caller);
    return Check(context_, control_.open(), /*final_only=*/false, open, caller,
                 &open->record);
  }

  // Counts an open that no answer will tell of; null: none.
  static void Discard(Open* opened, const grpc::Status& status) {
    if (opened == nullptr) return;
    opened->record.End(status.error_code(), status.error_message());
  }

  // Takes `opened` unless it returns an error, which ends the stream.
  absl::Status Handle(std::unique_ptr<Open>& opened)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const std::string& id = control_.request_id();
    if (id.empty()) {
      return absl::InvalidArgumentError("request_id: expected a name");
    }
    RETURN_IF_ERROR(CheckRequestId(id));
    const auto it = open_.find(id);
    switch (control_.action_case()) {
      case v1::PredictControl::kOpen:
        if (it != open_.end()) {
          return absl::InvalidArgumentError(absl::StrCat(
              "request_id: \"", id, "\" is still open on this stream"));
        }
        Submit(id, std::move(opened));
        return absl::OkStatus();
      case v1::PredictControl::kBudget:
        // One that has just ended is no error: its messages crossed ours.
        if (it != open_.end()) SetBudget(*it->second, id, control_.budget());
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

  void Submit(const std::string& id, std::unique_ptr<Open> open)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    absl::Status status = open->refusal;
    if (status.ok() && open_.size() >= kMaxOpenRequests) {
      status = absl::ResourceExhaustedError(
          absl::StrCat("the stream has ", open_.size(),
                       " requests open, its limit; open more when one ends"));
    }
    if (status.ok()) {
      status = SubmitRequest(context_, open->admitted, &open->record);
    }
    if (status.ok()) {
      open_[id] = std::move(open);
    } else {
      open->record.End(static_cast<grpc::StatusCode>(status.code()),
                       status.message());
      Refuse(id, status);
    }
  }

  void SetBudget(Open& open, const std::string& id, const v1::Budget& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const absl::StatusOr<Budget> budget =
        ParseBudget(message, *open.admitted.model->model);
    if (budget.ok()) {
      open.admitted.request->SetBudget(*budget);
      return;
    }
    // It cannot go on with a budget that its client no longer wants.
    open.admitted.request->Cancel();
    Forget(&open, grpc::StatusCode::INVALID_ARGUMENT,
           budget.status().message());
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
          static_cast<uint32_t>(RetryAfterMillis(status, *context_.scheduler)));
    }
  }

  // Takes a request out of open_ and ready_.
  void Forget(Open* open, grpc::StatusCode code, absl::string_view message = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    open->ended = true;
    open->record.End(code, message);
    std::erase(ready_, open);
    const auto it = open_.find(open->admitted.request_id);
    ended_.push_back(std::move(it->second));
    open_.erase(it);
  }

  void ReadMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (reading_ || reads_done_ || ending_) return;
    if (refusals_.size() + ended_.size() >= kMaxOpenRequests) return;
    reading_ = true;
    StartRead(&control_);
  }

  void WriteMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (!writing_ && !ending_) {
      if (refusals_.empty() && ready_.empty()) {
        context_.updates->Give(std::move(update_));
        MaybeEnd();
        return;
      }
      if (update_ == nullptr) update_ = context_.updates->Take();
      if (!refusals_.empty()) {
        *update_ = std::move(refusals_.front());
        refusals_.pop_front();
      } else {
        update_->Clear();
        TakeTurn(ready_.front());
        if (update_->predictions().empty()) continue;
      }
      writing_ = true;
      StartWrite(update_.get());
    }
  }

  // Moves what the request has to say into update_.
  void TakeTurn(Open* open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ready_.pop_front();
    open->ready = false;
    const Admitted& admitted = open->admitted;
    std::vector<Prediction> batch;  // an open stream keeps none
    const bool last = admitted.request->Take(batch);
    FillUpdate(batch, admitted.request_id, *admitted.model, admitted.output,
               update_.get());
    if (last) Forget(open, grpc::StatusCode::OK);
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
    for (auto& [id, open] : open_) {
      open->admitted.request->Cancel();
      open->record.End(status.error_code(), status.error_message());
    }
    // Finish must wait for a write in flight.
    if (!writing_) FinishOnce();
  }

  void FinishOnce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(finished_, true)) return;
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
  // Of the read in flight, or of the OnReadDone that looks at it.
  v1::PredictControl control_;

  absl::Mutex mu_;
  // Of the write in flight, or the next one.
  std::unique_ptr<v1::PredictUpdate> update_ ABSL_GUARDED_BY(mu_);
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
