#include "server/service/final_call.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mre {

FinalCall::FinalCall(const CallContext& context,
                     grpc::CallbackServerContext* rpc, Method method)
    : OpenCall(rpc, *context.clock),
      context_(context),
      rpc_(rpc),
      record_(context, method, rpc) {
  context_.calls->Enter(this);
}

void FinalCall::Begin(const absl::StatusOr<Checked>& checked) {
  absl::Status status = checked.status();
  if (checked.ok()) {
    request_ = checked->request;
    status = SubmitRequest(context_, *checked, &record_);
  }
  if (status.ok()) return;
  AddPushback(context_, status, rpc_);
  absl::MutexLock lock(&mu_);
  End(ToGrpcStatus(status));
}

void FinalCall::OnReady() {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  std::vector<Prediction> batch;
  const bool all = request_->Take(batch);
  std::move(batch.begin(), batch.end(), std::back_inserter(finals_));
  if (!all) return;
  std::sort(
      finals_.begin(), finals_.end(),
      [](const Prediction& a, const Prediction& b) { return a.row < b.row; });
  Answer(finals_);
  End(grpc::Status::OK);
}

void FinalCall::OnCancel() {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  request_->Cancel();
  End(CancelStatus(*rpc_));
}

void FinalCall::OnDone() {
  if (request_ != nullptr) request_->Detach();
  context_.calls->Leave(this);
  delete this;
}

void FinalCall::End(const grpc::Status& status) {
  finished_ = true;
  record_.End(status.error_code(), status.error_message());
  SendBegins();
  Finish(status);
}

}  // namespace mre
