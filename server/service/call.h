// What every prediction call shares: the parts of the server it works on, and
// how it is counted when it ends.
#ifndef MRE_SERVER_SERVICE_CALL_H_
#define MRE_SERVER_SERVICE_CALL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/clock.h"
#include "proto/inference/grpc_service.pb.h"
#include "proto/mre/v1/anytime.pb.h"
#include "server/door/door.h"
#include "server/metrics/metrics.h"
#include "server/repository/repository.h"
#include "server/schedule/scheduler.h"
#include "server/service/convert.h"
#include "server/service/load_report.h"
#include "server/service/message_pool.h"
#include "server/service/open_calls.h"
#include "server/service/request_log.h"

namespace mre {

// The same code and message.
grpc::Status ToGrpcStatus(const absl::Status& status);

// What calls work on. All outlive every call.
struct CallContext {
  const Door* door = nullptr;
  Repository* repository = nullptr;
  Scheduler* scheduler = nullptr;
  Metrics* metrics = nullptr;
  OpenCalls* calls = nullptr;
  MessagePool<v1::PredictUpdate>* updates = nullptr;
  MessagePool<inference::ModelStreamInferResponse>* infer_responses = nullptr;
  RequestLog* log = nullptr;         // null: none
  const LoadReport* load = nullptr;  // null: none
  int64_t max_rows_per_request = 256;
  const Clock* clock = Clock::Real();
};

// Counts one call from its arrival to its end. Used by one call only.
class CallRecord {
 public:
  // `rpc` outlives it.
  CallRecord(const CallContext& context, Method method,
             grpc::CallbackServerContext* rpc)
      : context_(context),
        method_(method),
        rpc_(rpc),
        arrived_(context.clock->Now()) {}

  // Null: none that is served.
  void set_model(std::shared_ptr<const ServedModel> model);
  const std::shared_ptr<const ServedModel>& model() const { return model_; }
  ModelMetrics* metrics() const { return metrics_; }  // of the model
  // Only calls whose rows were taken count in mre_request_seconds.
  void set_admitted(bool admitted) { admitted_ = admitted; }
  // What the log says of it. The request outlives the record's end.
  void set_request(const Request* request) { request_ = request; }
  // Of a call about a model that need not be served.
  void set_model_name(const std::string& name) { model_name_ = name; }
  void set_request_id(const std::string& id) { request_id_ = id; }
  void set_caller(const Caller& caller) { caller_ = caller.name; }
  // Once, when the outcome is known and before the call's last message, which
  // may carry a load report.
  void End(grpc::StatusCode code, absl::string_view message = {});

 private:
  const CallContext& context_;
  const Method method_;
  grpc::CallbackServerContext* const rpc_;
  const absl::Time arrived_;
  std::shared_ptr<const ServedModel> model_;
  ModelMetrics* metrics_ = nullptr;
  const Request* request_ = nullptr;
  std::string request_id_;
  std::string caller_;
  std::string model_name_;
  bool admitted_ = false;
};

// Lets a call in, or a request on a stream: to be asked at the start of each. A
// refusal is its status.
absl::StatusOr<Caller> Enter(const CallContext& context, Scope scope,
                             const grpc::CallbackServerContext& rpc,
                             CallRecord* record);

// A request that can be submitted, and its model.
struct Checked {
  std::shared_ptr<Request> request;
  std::shared_ptr<const ServedModel> model;
};

// The check of a prediction, in whatever protocol it is asked for, is to let
// the caller in, to find the model, to parse the rest into a Request::Spec, and
// this: who asks and what counts it are filled in.
// REQUIRES: the record has the model.
Checked MakeRequest(const CallRecord& record, Request::Spec spec,
                    Request::Listener* listener, const Caller& caller);

// The same with what the answers of mre.v1 need.
struct Admitted : Checked {
  OutputOptions output;
  std::string request_id;
};

// Lets the caller in, finds the model and checks the request. With `final_only`
// each row's last prediction is all that is delivered, whatever the message
// asks. `record` learns the model even when the rest fails.
absl::StatusOr<Admitted> Check(const CallContext& context,
                               const v1::PredictRequest& message,
                               bool final_only, Request::Listener* listener,
                               const grpc::CallbackServerContext& rpc,
                               CallRecord* record);

// Milliseconds for `grpc-retry-pushback-ms` of a refusal for lack of room.
int64_t RetryAfterMillis(const absl::Status& refusal,
                         const Scheduler& scheduler);

// Hands a request to the scheduler; the listener may hear before this returns.
absl::Status SubmitRequest(const CallContext& context, const Checked& checked,
                           CallRecord* record);

// To a call that ends with a refusal for lack of room: when to try again.
void AddPushback(const CallContext& context, const absl::Status& status,
                 grpc::CallbackServerContext* rpc);

// An unary call without rows. Deletes itself.
class PlainCall final : public grpc::ServerUnaryReactor, public OpenCall {
 public:
  PlainCall(const CallContext& context, grpc::CallbackServerContext* rpc)
      : OpenCall(rpc, *context.clock), context_(context), rpc_(rpc) {
    context_.calls->Enter(this);
  }
  // Ends the call, and counts it. Once.
  void Answer(const absl::Status& status, CallRecord& record);
  void OnDone() override {
    context_.calls->Leave(this);
    delete this;
  }

 private:
  const CallContext& context_;
  grpc::CallbackServerContext* const rpc_;
};

// Such a call, answered at once.
grpc::ServerUnaryReactor* Answer(const CallContext& context,
                                 grpc::CallbackServerContext* rpc,
                                 const absl::Status& status,
                                 CallRecord& record);

// The code of a call that gRPC cancelled: its deadline's or its client's doing.
grpc::Status CancelStatus(const grpc::CallbackServerContext& context);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_CALL_H_
