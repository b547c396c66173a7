#include "client/cc/interactive_session.h"

#include <utility>

#include "client/cc/connection.h"
#include "client/cc/rpc_status.h"

namespace mre {

struct InteractiveSession::Call {
  grpc::ClientContext context;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::PredictControl, v1::PredictUpdate>>
      stream;

  // Writing thread only.
  bool writes_closed = false;

  // Reading thread only. Set when the stream has ended.
  std::optional<absl::Status> end;
};

InteractiveSession::InteractiveSession(const Connection& connection,
                                       const CallOptions& options)
    : call_(std::make_unique<Call>()) {
  connection.Configure(options, call_->context);
  call_->stream = connection.stub().PredictInteractive(&call_->context);
}

InteractiveSession::~InteractiveSession() {
  Cancel();
  for (auto update = Read(); update.ok() && update->has_value();) {
    update = Read();
  }
}

absl::Status InteractiveSession::Open(const v1::PredictRequest& request) {
  v1::PredictControl control;
  control.set_request_id(request.request_id());
  *control.mutable_open() = request;
  return Write(control);
}

absl::Status InteractiveSession::SetBudget(const std::string& id,
                                           const v1::Budget& budget) {
  v1::PredictControl control;
  control.set_request_id(id);
  *control.mutable_budget() = budget;
  return Write(control);
}

absl::Status InteractiveSession::Stop(const std::string& id) {
  v1::PredictControl control;
  control.set_request_id(id);
  control.mutable_stop();
  return Write(control);
}

absl::Status InteractiveSession::CloseWrites() {
  if (call_->writes_closed) return absl::OkStatus();
  call_->writes_closed = true;
  // It fails only when the session has ended, and then there is nothing left
  // to close.
  call_->stream->WritesDone();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::PredictUpdate>> InteractiveSession::Read() {
  if (!call_->end.has_value()) {
    v1::PredictUpdate update;
    if (call_->stream->Read(&update)) {
      return std::optional<v1::PredictUpdate>(std::move(update));
    }
    call_->end = FromRpcStatus(call_->stream->Finish(), call_->context);
  }
  if (!call_->end->ok()) return *call_->end;
  return std::optional<v1::PredictUpdate>();
}

void InteractiveSession::Cancel() { call_->context.TryCancel(); }

absl::Status InteractiveSession::Write(const v1::PredictControl& control) {
  if (control.request_id().empty()) {
    return absl::InvalidArgumentError("request_id is empty");
  }
  if (call_->writes_closed) {
    return absl::FailedPreconditionError("written after CloseWrites()");
  }
  if (!call_->stream->Write(control)) {
    return absl::AbortedError("the session has ended; Read() says why");
  }
  return absl::OkStatus();
}

}  // namespace mre
