#include "server/service/interactive_call.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/service/checks.h"
#include "server/service/multiplexed_call.h"

namespace mre {
namespace {

struct Wire {
  using Message = v1::PredictControl;
  using Update = v1::PredictUpdate;
  using Admitted = mre::Admitted;
};

// A request that a client opened is refused in an update of its own; a message
// that breaks the protocol (no request_id, an id that is still open, no action)
// ends the stream.
class InteractiveCall final : public MultiplexedCall<Wire> {
 public:
  InteractiveCall(const CallContext& context, grpc::CallbackServerContext* rpc)
      : MultiplexedCall(context, rpc, context.updates) {
    Begin(Method::kPredictInteractive);
  }

 private:
  std::unique_ptr<Open> Parse(const v1::PredictControl& control) override {
    if (!control.has_open()) return nullptr;
    auto open = std::make_unique<Open>(this, Method::kPredictInteractive,
                                       control.request_id());
    absl::StatusOr<Admitted> admitted =
        Check(context(), control.open(), /*final_only=*/false, open.get(),
              *rpc(), &open->record);
    open->refusal = admitted.status();
    if (!control.open().request_id().empty() &&
        control.open().request_id() != control.request_id()) {
      open->refusal = absl::InvalidArgumentError(
          "open.request_id: expected nothing, or the message's request_id");
    }
    if (admitted.ok()) open->admitted = *std::move(admitted);
    return open;
  }

  absl::Status Handle(const v1::PredictControl& control,
                      std::unique_ptr<Open>& opened) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const std::string& id = control.request_id();
    if (id.empty()) {
      return absl::InvalidArgumentError("request_id: expected a name");
    }
    RETURN_IF_ERROR(CheckRequestId(id));
    Open* const running = Find(id);
    switch (control.action_case()) {
      case v1::PredictControl::kOpen: {
        if (running != nullptr) {
          return absl::InvalidArgumentError(absl::StrCat(
              "request_id: \"", id, "\" is still open on this stream"));
        }
        const absl::Status status = Submit(opened);
        if (!status.ok()) {
          Discard(opened.get(), ToGrpcStatus(status));
          Refuse(id, status);
        }
        return absl::OkStatus();
      }
      case v1::PredictControl::kBudget:
        // One that has just ended is no error: its messages crossed ours.
        if (running != nullptr) SetBudget(*running, control.budget());
        return absl::OkStatus();
      case v1::PredictControl::kStop:
        if (running != nullptr) running->admitted.request->Stop();
        return absl::OkStatus();
      case v1::PredictControl::ACTION_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError(
        "action: expected one of open, budget, stop");
  }

  void SetBudget(Open& open, const v1::Budget& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const absl::StatusOr<Budget> budget =
        ParseBudget(message, *open.admitted.model->model);
    if (budget.ok()) {
      open.admitted.request->SetBudget(*budget);
      return;
    }
    // It cannot go on with a budget that its client no longer wants.
    open.admitted.request->Cancel();
    Refuse(open.id, budget.status());
    Forget(&open, ToGrpcStatus(budget.status()));
  }

  void Refuse(const std::string& id, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    v1::PredictUpdate* update = MultiplexedCall::Refuse();
    update->set_request_id(id);
    v1::Error* error = update->mutable_error();
    error->set_code(static_cast<int32_t>(status.code()));
    error->set_message(FieldText(status.message()));
    if (absl::IsResourceExhausted(status)) {
      error->set_retry_after_ms(static_cast<uint32_t>(
          RetryAfterMillis(status, *context().scheduler)));
    }
  }

  Turn TakeTurn(Open* open, v1::PredictUpdate* update) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const Admitted& admitted = open->admitted;
    std::vector<Prediction> batch;  // an open stream keeps none
    const bool last = admitted.request->Take(batch);
    FillUpdate(batch, open->id, *admitted.model, admitted.output, update);
    return {.says = !batch.empty(), .last = last};
  }
};

}  // namespace

grpc::ServerBidiReactor<v1::PredictControl, v1::PredictUpdate>*
StartPredictInteractive(const CallContext& context,
                        grpc::CallbackServerContext* rpc) {
  return new InteractiveCall(context, rpc);
}

}  // namespace mre
