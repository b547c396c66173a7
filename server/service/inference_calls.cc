#include "server/service/inference_calls.h"

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "model/base/status_macros.h"
#include "server/service/final_call.h"
#include "server/service/inference_convert.h"
#include "server/service/multiplexed_call.h"

namespace mre {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

struct InferAdmitted : Checked {
  InferAnswer answer;
  ModelStatistics* statistics = nullptr;  // of the model
  // What has been taken and not yet sent, from `sent` on, sorted by steps. More
  // is taken when all has been sent, so that the outbox's limit holds.
  std::vector<Prediction> taken;
  size_t sent = 0;
  bool all_taken = false;
};

absl::StatusOr<InferAdmitted> CheckInfer(const CallContext& context,
                                         const ModelInferRequest& message,
                                         bool final_only,
                                         Request::Listener* listener,
                                         const grpc::CallbackServerContext& rpc,
                                         CallRecord* record) {
  const absl::Time start = context.clock->Now();
  record->set_request_id(message.id());
  ASSIGN_OR_RETURN(const Caller caller,
                   Enter(context, Scope::kInfer, rpc, record));
  ASSIGN_OR_RETURN(auto model, FindModel(context, message.model_name(),
                                         message.model_version()));
  record->set_model(model);
  ASSIGN_OR_RETURN(
      InferSpec spec,
      ParseInferRequest(message, *model, context.max_rows_per_request));
  if (final_only) spec.request.delivery = Delivery::kFinal;
  InferAdmitted admitted;
  static_cast<Checked&>(admitted) =
      MakeRequest(*record, std::move(spec.request), listener, caller);
  admitted.answer = std::move(spec.answer);
  admitted.statistics = &record->metrics()->statistics();
  admitted.statistics->RequestRead(context.clock->Now() - start);
  return admitted;
}

// Counts the time that a response takes to be made.
class ResponseTimer {
 public:
  ResponseTimer(const CallContext& context, const InferAdmitted& admitted)
      : clock_(*context.clock),
        statistics_(*admitted.statistics),
        start_(clock_.Now()) {}
  ResponseTimer(const ResponseTimer&) = delete;
  ResponseTimer& operator=(const ResponseTimer&) = delete;
  ~ResponseTimer() { statistics_.ResponseMade(clock_.Now() - start_); }

 private:
  const Clock& clock_;
  ModelStatistics& statistics_;
  const absl::Time start_;
};

class InferCall final : public FinalCall {
 public:
  InferCall(const CallContext& context, grpc::CallbackServerContext* rpc,
            const ModelInferRequest* message, ModelInferResponse* response)
      : FinalCall(context, rpc, Method::kModelInfer), response_(response) {
    absl::StatusOr<InferAdmitted> admitted = CheckInfer(
        context, *message, /*final_only=*/true, this, *rpc, record());
    if (!admitted.ok()) {
      Begin(admitted.status());
      return;
    }
    admitted_ = *std::move(admitted);
    Begin(admitted_);
  }

 private:
  void Answer(const std::vector<Prediction>& finals) override {
    const ResponseTimer timer(context(), admitted_);
    FillInferResponse(finals, admitted_.answer, *admitted_.model, response_);
  }

  ModelInferResponse* const response_;
  InferAdmitted admitted_;  // constant once submitted
};

struct Wire {
  using Message = ModelInferRequest;
  using Update = ModelStreamInferResponse;
  using Admitted = InferAdmitted;
};

// True when the stream is to end with the status of its first error.
bool WantsStatus(const grpc::CallbackServerContext& rpc) {
  const auto& metadata = rpc.client_metadata();
  const auto found = metadata.find("triton_grpc_error");
  return found != metadata.end() && found->second == "true";
}

class StreamInferCall final : public MultiplexedCall<Wire> {
 public:
  StreamInferCall(const CallContext& context, grpc::CallbackServerContext* rpc)
      : MultiplexedCall(context, rpc, context.infer_responses),
        wants_status_(WantsStatus(*rpc)) {
    Begin(Method::kModelStreamInfer);
  }

 private:
  std::unique_ptr<Open> Parse(const ModelInferRequest& message) override {
    auto open =
        std::make_unique<Open>(this, Method::kModelStreamInfer, message.id());
    absl::StatusOr<InferAdmitted> admitted =
        CheckInfer(context(), message, /*final_only=*/false, open.get(), *rpc(),
                   &open->record);
    open->refusal = admitted.status();
    if (admitted.ok()) open->admitted = *std::move(admitted);
    return open;
  }

  absl::Status Handle(const ModelInferRequest& message,
                      std::unique_ptr<Open>& opened) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    absl::Status status = Submit(opened);
    if (status.ok()) return status;
    if (wants_status_) {
      AddPushback(context(), status, rpc());
      return status;
    }
    Discard(opened.get(), ToGrpcStatus(status));
    FillInferError(message, status, Refuse());
    return absl::OkStatus();
  }

  Turn TakeTurn(Open* open, ModelStreamInferResponse* update) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    InferAdmitted& admitted = open->admitted;
    if (admitted.sent == admitted.taken.size() && !admitted.all_taken) {
      admitted.all_taken = admitted.request->Take(admitted.taken);
      admitted.sent = 0;
      SortBySteps(admitted.taken);
    }
    const auto left = std::span(admitted.taken).subspan(admitted.sent);
    if (left.empty() && !admitted.all_taken) return {};
    const ResponseTimer timer(context(), admitted);
    const size_t count = left.empty() ? 0 : CountSameStep(left);
    admitted.sent += count;
    const bool last = admitted.all_taken &&
                      admitted.sent == admitted.taken.size() &&
                      (count == 0 || !admitted.answer.empty_final_response);
    FillStepResponse(left.first(count), admitted.answer, *admitted.model, last,
                     update->mutable_infer_response());
    if (admitted.sent == admitted.taken.size()) {
      admitted.taken = {};  // an open stream keeps none
      admitted.sent = 0;
    }
    // There may be more: what came while it had a turn told nobody.
    return {.says = true, .more = !last, .last = last};
  }

  const bool wants_status_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const ServedModel>> FindModel(
    const CallContext& context, absl::string_view name,
    absl::string_view version) {
  ASSIGN_OR_RETURN(const VersionChoice choice, ParseModelVersion(version));
  return context.repository->Find(name, choice.version, choice.label);
}

grpc::ServerUnaryReactor* StartModelInfer(const CallContext& context,
                                          grpc::CallbackServerContext* rpc,
                                          const ModelInferRequest* message,
                                          ModelInferResponse* response) {
  return new InferCall(context, rpc, message, response);
}

grpc::ServerBidiReactor<ModelInferRequest, ModelStreamInferResponse>*
StartModelStreamInfer(const CallContext& context,
                      grpc::CallbackServerContext* rpc) {
  return new StreamInferCall(context, rpc);
}

}  // namespace mre
