#include "server/service/call.h"

#include <chrono>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"

namespace mre {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

void OpenCalls::Enter(DrainableCall* call) {
  bool drain = false;
  {
    absl::MutexLock lock(&mu_);
    ++open_;
    if (call != nullptr) drainable_.insert(call);
    drain = draining_ && call != nullptr;
  }
  if (drain) call->Drain();
}

void OpenCalls::Leave(DrainableCall* call) {
  absl::MutexLock lock(&mu_);
  --open_;
  if (call != nullptr) drainable_.erase(call);
}

void OpenCalls::Drain() {
  // The lock is held so that no call leaves while it is told; calls never
  // enter or leave with a lock of their own held.
  absl::MutexLock lock(&mu_);
  draining_ = true;
  for (DrainableCall* call : drainable_) call->Drain();
}

bool OpenCalls::draining() const {
  absl::MutexLock lock(&mu_);
  return draining_;
}

bool OpenCalls::AwaitNone(absl::Duration limit) {
  const auto none = [this] {
    mu_.AssertHeld();
    return open_ == 0;
  };
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&none), limit);
}

void CallRecord::End(grpc::StatusCode code) {
  context_.metrics->RequestEnded(model_, method_,
                                 static_cast<absl::StatusCode>(code));
  if (model_ == nullptr || !model_->ready() || !IsPrediction(method_)) return;
  const absl::Time now = context_.clock->Now();
  ModelMetrics* metrics = context_.metrics->ForModel(*model_);
  metrics->statistics().RequestEnded(code == grpc::StatusCode::OK,
                                     now - arrived_, now);
  if (admitted_) metrics->RequestTook(now - arrived_);
}

Checked MakeRequest(const CallContext& context, const ServedModel* model,
                    Request::Spec spec, Request::Listener* listener,
                    const grpc::CallbackServerContext& rpc) {
  // A connection is a client.
  spec.client = absl::HashOf(rpc.peer());
  spec.telemetry = context.metrics->ForModel(*model);
  return {std::make_shared<Request>(std::move(spec), listener), model};
}

absl::StatusOr<Admitted> Check(const CallContext& context,
                               const v1::PredictRequest& message,
                               bool final_only, Request::Listener* listener,
                               const grpc::CallbackServerContext& rpc,
                               CallRecord* record) {
  ASSIGN_OR_RETURN(
      auto model,
      context.repository->Find(message.model_name(), message.model_version()));
  record->set_model(&*model);
  ASSIGN_OR_RETURN(Request::Spec spec,
                   ParseRequest(message, *model, context.max_rows_per_request));
  if (final_only) spec.delivery = Delivery::kFinal;
  return Admitted{MakeRequest(context, model, std::move(spec), listener, rpc),
                  ParseOutput(message.output()), message.request_id()};
}

int64_t RetryAfterMillis(const Scheduler& scheduler) {
  return std::max<int64_t>(absl::ToInt64Milliseconds(scheduler.RetryAfter()),
                           1);
}

absl::Status SubmitRequest(const CallContext& context, const Checked& checked,
                           CallRecord* record) {
  // Before: once submitted, the call may end at any moment.
  record->set_admitted(true);
  absl::Status status = context.scheduler->Submit(checked.request);
  if (!status.ok()) record->set_admitted(false);
  return status;
}

void AddPushback(const CallContext& context, const absl::Status& status,
                 grpc::CallbackServerContext* rpc) {
  if (!absl::IsResourceExhausted(status)) return;
  rpc->AddTrailingMetadata("grpc-retry-pushback-ms",
                           absl::StrCat(RetryAfterMillis(*context.scheduler)));
}

absl::Status SubmitCall(const CallContext& context, const Checked& checked,
                        grpc::CallbackServerContext* rpc, CallRecord* record) {
  absl::Status status = SubmitRequest(context, checked, record);
  AddPushback(context, status, rpc);
  return status;
}

void CancelStalled(grpc::CallbackServerContext* rpc) {
  Log(Severity::kWarning, absl::StrCat("cancelling a call of ", rpc->peer(),
                                       ": nobody takes its predictions"));
  rpc->TryCancel();
}

grpc::Status CancelStatus(const grpc::CallbackServerContext& context) {
  if (context.deadline() <= std::chrono::system_clock::now()) {
    return {grpc::StatusCode::DEADLINE_EXCEEDED,
            "the call's deadline passed; its rows were freed"};
  }
  return {grpc::StatusCode::CANCELLED, "the client cancelled the call"};
}

}  // namespace mre
