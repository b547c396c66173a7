#include "server/service/predict_calls.h"

#include <memory>
#include <utility>
#include <vector>

#include "model/base/status_macros.h"
#include "server/service/final_call.h"

namespace mre {
namespace {

class PredictCall final : public FinalCall {
 public:
  PredictCall(const CallContext& context, grpc::CallbackServerContext* rpc,
              const v1::PredictRequest* message, v1::PredictUpdate* response)
      : FinalCall(context, rpc, Method::kPredict), response_(response) {
    absl::StatusOr<Admitted> admitted =
        Check(context, *message, /*final_only=*/true, this, *rpc, record());
    if (!admitted.ok()) {
      Begin(admitted.status());
      return;
    }
    admitted_ = *std::move(admitted);
    Begin(admitted_);
  }

 private:
  void Answer(const std::vector<Prediction>& finals) override {
    FillUpdate(finals, admitted_.request_id, *admitted_.model, admitted_.output,
               response_);
  }

  v1::PredictUpdate* const response_;
  Admitted admitted_;  // constant once submitted
};

// As FinalCall: the constructor admits the request, the scheduler then calls
// OnReady, gRPC's threads call the other reactions. `finished_` is set with the
// one Finish. Locks are taken in the same order.
class StreamCall final : public grpc::ServerWriteReactor<v1::PredictUpdate>,
                         public OpenCall,
                         public Request::Listener {
 public:
  StreamCall(const CallContext& context, grpc::CallbackServerContext* rpc,
             const v1::PredictRequest* message)
      : OpenCall(rpc, *context.clock),
        context_(context),
        rpc_(rpc),
        record_(context, Method::kPredictStream, rpc) {
    context_.calls->Enter(this);
    context_.metrics->StreamOpened();
    const absl::Status status = Admit(*message);
    if (status.ok()) return;
    AddPushback(context_, status, rpc_);
    absl::MutexLock lock(&mu_);
    End(ToGrpcStatus(status));
  }

  void OnReady() override {
    absl::MutexLock lock(&mu_);
    if (!writing_ && !finished_) WriteNext();
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    SendEnds();
    context_.updates->Give(std::move(update_));
    if (finished_) return;
    if (cancelled_ || !ok) {
      // A write fails only when the call is over.
      admitted_.request->Cancel();
      End(CancelStatus(*rpc_));
    } else {
      WriteNext();
    }
  }

  void OnCancel() override {
    absl::MutexLock lock(&mu_);
    if (finished_) return;
    admitted_.request->Cancel();
    cancelled_ = true;
    // Finish must wait for a write in flight; that write fails soon.
    if (!writing_) End(CancelStatus(*rpc_));
  }

  void OnDone() override {
    if (admitted_.request != nullptr) admitted_.request->Detach();
    {
      absl::MutexLock lock(&mu_);
      context_.updates->Give(std::move(update_));
    }
    context_.metrics->StreamClosed();
    context_.calls->Leave(this);
    delete this;
  }

 private:
  absl::Status Admit(const v1::PredictRequest& message) {
    ASSIGN_OR_RETURN(admitted_, Check(context_, message, /*final_only=*/false,
                                      this, *rpc_, &record_));
    return SubmitRequest(context_, admitted_, &record_);
  }

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::vector<Prediction> batch;  // an open call keeps none
    const bool last = admitted_.request->Take(batch);
    if (batch.empty()) {
      if (last) End(grpc::Status::OK);
      return;
    }
    update_ = context_.updates->Take();
    FillUpdate(batch, admitted_.request_id, *admitted_.model, admitted_.output,
               update_.get());
    writing_ = true;
    SendBegins();
    if (last) {
      finished_ = true;
      record_.End(grpc::StatusCode::OK);
      StartWriteAndFinish(update_.get(), grpc::WriteOptions(),
                          grpc::Status::OK);
    } else {
      StartWrite(update_.get());
    }
  }

  void End(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    finished_ = true;
    record_.End(status.error_code(), status.error_message());
    SendBegins();
    Finish(status);
  }

  const CallContext& context_;
  grpc::CallbackServerContext* const rpc_;
  CallRecord record_;
  Admitted admitted_;  // constant once submitted

  absl::Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  // Of the write in flight.
  std::unique_ptr<v1::PredictUpdate> update_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

grpc::ServerUnaryReactor* StartPredict(const CallContext& context,
                                       grpc::CallbackServerContext* rpc,
                                       const v1::PredictRequest* message,
                                       v1::PredictUpdate* response) {
  return new PredictCall(context, rpc, message, response);
}

grpc::ServerWriteReactor<v1::PredictUpdate>* StartPredictStream(
    const CallContext& context, grpc::CallbackServerContext* rpc,
    const v1::PredictRequest* message) {
  return new StreamCall(context, rpc, message);
}

}  // namespace mre
