#include "server/service/call.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace mre {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

void CallRecord::set_model(std::shared_ptr<const ServedModel> model) {
  model_ = std::move(model);
  if (model_ != nullptr) metrics_ = context_.metrics->ForModel(*model_);
}

void CallRecord::End(grpc::StatusCode code, absl::string_view message) {
  const absl::Duration total = context_.clock->Now() - arrived_;
  const auto counted = static_cast<absl::StatusCode>(code);
  if (metrics_ == nullptr) {
    context_.metrics->RequestEnded(method_, counted);
  } else {
    metrics_->RequestEnded(method_, counted);
    if (IsPrediction(method_)) {
      metrics_->statistics().RequestEnded(code == grpc::StatusCode::OK, total,
                                          arrived_ + total);
    }
    if (admitted_) metrics_->RequestTook(total);
  }
  // A stream of many requests has one trailer; no request's cost is its.
  const bool reported = context_.load != nullptr &&
                        method_ != Method::kPredictInteractive &&
                        method_ != Method::kModelStreamInfer;
  const bool logged = context_.log != nullptr && context_.log->Takes(code);
  if (!reported && !logged) return;
  const Request::Spent spent =
      request_ == nullptr ? Request::Spent() : request_->spent();
  if (reported) context_.load->Record(spent.macs, *rpc_);
  if (!logged) return;
  RequestLine line = {.method = MethodName(method_),
                      .model = model_name_,
                      .code = code,
                      .error = message,
                      .steps = spent.steps,
                      .queued = spent.queued,
                      .total = total,
                      .request_id = request_id_,
                      .client = caller_};
  if (model_ != nullptr) {
    line.model = model_->name;
    line.version = model_->version;
  }
  if (request_ != nullptr) line.rows = request_->spec().rows;
  RequestLog::Write(line, rpc_);
}

absl::StatusOr<Caller> Enter(const CallContext& context, Scope scope,
                             const grpc::CallbackServerContext& rpc,
                             CallRecord* record) {
  absl::StatusOr<Caller> caller = context.door->Enter(rpc, scope);
  if (caller.ok()) record->set_caller(*caller);
  return caller;
}

Checked MakeRequest(const CallRecord& record, Request::Spec spec,
                    Request::Listener* listener, const Caller& caller) {
  spec.client = caller.client;
  spec.telemetry = record.metrics();
  return {std::make_shared<Request>(std::move(spec), listener), record.model()};
}

absl::StatusOr<Admitted> Check(const CallContext& context,
                               const v1::PredictRequest& message,
                               bool final_only, Request::Listener* listener,
                               const grpc::CallbackServerContext& rpc,
                               CallRecord* record) {
  // Of an interactive one the record knows it already.
  if (!message.request_id().empty()) {
    record->set_request_id(message.request_id());
  }
  ASSIGN_OR_RETURN(const Caller caller,
                   Enter(context, Scope::kInfer, rpc, record));
  ASSIGN_OR_RETURN(auto model, context.repository->Find(message.model_name(),
                                                        message.model_version(),
                                                        message.model_label()));
  record->set_model(model);
  ASSIGN_OR_RETURN(Request::Spec spec,
                   ParseRequest(message, *model, context.max_rows_per_request));
  if (final_only) spec.delivery = Delivery::kFinal;
  return Admitted{MakeRequest(*record, std::move(spec), listener, caller),
                  ParseOutput(message.output()), message.request_id()};
}

int64_t RetryAfterMillis(const absl::Status& refusal,
                         const Scheduler& scheduler) {
  const std::optional<int64_t> asked = Door::RetryAfterMillis(refusal);
  if (asked.has_value()) return *asked;
  return std::max<int64_t>(absl::ToInt64Milliseconds(scheduler.RetryAfter()),
                           1);
}

absl::Status SubmitRequest(const CallContext& context, const Checked& checked,
                           CallRecord* record) {
  // Before: once submitted, the call may end at any moment.
  record->set_admitted(true);
  record->set_request(checked.request.get());
  absl::Status status = context.scheduler->Submit(checked.request);
  if (!status.ok()) record->set_admitted(false);
  return status;
}

void AddPushback(const CallContext& context, const absl::Status& status,
                 grpc::CallbackServerContext* rpc) {
  if (!absl::IsResourceExhausted(status)) return;
  rpc->AddTrailingMetadata(
      "grpc-retry-pushback-ms",
      absl::StrCat(RetryAfterMillis(status, *context.scheduler)));
}

void PlainCall::Answer(const absl::Status& status, CallRecord& record) {
  AddPushback(context_, status, rpc_);
  const grpc::Status wire = ToGrpcStatus(status);
  record.End(wire.error_code(), wire.error_message());
  SendBegins();
  Finish(wire);
}

grpc::ServerUnaryReactor* Answer(const CallContext& context,
                                 grpc::CallbackServerContext* rpc,
                                 const absl::Status& status,
                                 CallRecord& record) {
  auto* call = new PlainCall(context, rpc);
  call->Answer(status, record);
  return call;
}

grpc::Status CancelStatus(const grpc::CallbackServerContext& context) {
  if (context.deadline() <= std::chrono::system_clock::now()) {
    return {grpc::StatusCode::DEADLINE_EXCEEDED,
            "the call's deadline passed; its rows were freed"};
  }
  return {grpc::StatusCode::CANCELLED, "the client cancelled the call"};
}

}  // namespace mre
