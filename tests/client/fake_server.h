// A server in the test's process that speaks the protocol without a model.
#ifndef MRE_TESTS_CLIENT_FAKE_SERVER_H_
#define MRE_TESTS_CLIENT_FAKE_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/cc/client.h"
#include "proto/mre/v1/anytime.grpc.pb.h"

namespace mre {

// Sends steps 0 to max_steps of each request; without max_steps, goes on until
// the call is cancelled. A model_name other than "fake" is NOT_FOUND, "busy"
// is RESOURCE_EXHAUSTED with a pushback of 20 ms. An interactive request sends
// step 0 when it is opened and a final step when it is stopped or re-budgeted;
// one with max_steps ends at once, and one of "full" gets an error of its own.
// The model "broken" is not ready.
class FakeService final : public v1::AnytimeInference::Service {
 public:
  // Streams that have seen their client go.
  int cancelled() const { return cancelled_; }
  // Predictions that were asked for.
  int calls() const { return calls_; }
  // The connections that predictions were asked on.
  size_t connections() const {
    absl::MutexLock lock(&mu_);
    return peers_.size();
  }

  grpc::Status Predict(grpc::ServerContext* context,
                       const v1::PredictRequest* request,
                       v1::PredictUpdate* update) override {
    if (auto status = Check(*context, *request); !status.ok()) return status;
    *update = Update(request->request_id(), request->budget().max_steps(),
                     v1::STOP_REASON_MAX_STEPS);
    return grpc::Status::OK;
  }

  grpc::Status PredictStream(
      grpc::ServerContext* context, const v1::PredictRequest* request,
      grpc::ServerWriter<v1::PredictUpdate>* writer) override {
    if (auto status = Check(*context, *request); !status.ok()) return status;
    const uint32_t last = request->budget().max_steps();
    for (uint32_t step = 0; last == 0 || step <= last; ++step) {
      const bool final = last != 0 && step == last;
      if (!writer->Write(Update(request->request_id(), step,
                                final ? v1::STOP_REASON_MAX_STEPS
                                      : v1::STOP_REASON_UNSPECIFIED))) {
        ++cancelled_;
        return grpc::Status::CANCELLED;
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status PredictInteractive(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::PredictUpdate, v1::PredictControl>* stream)
      override {
    v1::PredictControl control;
    while (stream->Read(&control)) {
      const std::string& id = control.request_id();
      switch (control.action_case()) {
        case v1::PredictControl::kOpen:
          if (control.open().model_name() == "full") {
            v1::PredictUpdate update;
            update.set_request_id(id);
            update.mutable_error()->set_code(
                grpc::StatusCode::RESOURCE_EXHAUSTED);
            update.mutable_error()->set_message("no place");
            stream->Write(update);
            break;
          }
          if (auto status = Check(*context, control.open()); !status.ok()) {
            return status;
          }
          stream->Write(Update(id, 0, v1::STOP_REASON_UNSPECIFIED));
          if (const auto last = control.open().budget().max_steps(); last > 0) {
            stream->Write(Update(id, last, v1::STOP_REASON_MAX_STEPS));
          }
          break;
        case v1::PredictControl::kBudget:
          stream->Write(Update(id, control.budget().max_steps(),
                               v1::STOP_REASON_MAX_STEPS));
          break;
        case v1::PredictControl::kStop:
          stream->Write(Update(id, 1, v1::STOP_REASON_CLIENT_STOP));
          break;
        default:
          return {grpc::StatusCode::INVALID_ARGUMENT, "no action"};
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    v1::ModelInfo& model = *response->add_models();
    model.set_model_name("fake");
    model.set_state(v1::MODEL_STATE_READY);
    return grpc::Status::OK;
  }

  grpc::Status GetModel(grpc::ServerContext*,
                        const v1::GetModelRequest* request,
                        v1::ModelInfo* info) override {
    info->set_model_name(request->model_name());
    info->set_model_version(request->model_version());
    const bool broken = request->model_name() == "broken";
    info->set_state(broken ? v1::MODEL_STATE_FAILED : v1::MODEL_STATE_READY);
    if (broken) info->set_error("byte 7 is odd");
    return grpc::Status::OK;
  }

 private:
  grpc::Status Check(grpc::ServerContext& context,
                     const v1::PredictRequest& request) {
    ++calls_;
    {
      absl::MutexLock lock(&mu_);
      peers_.insert(context.peer());
    }
    if (request.model_name() == "busy") {
      context.AddTrailingMetadata("grpc-retry-pushback-ms", "20");
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full"};
    }
    if (request.model_name() == "fake") return grpc::Status::OK;
    return {grpc::StatusCode::NOT_FOUND, "no such model"};
  }

  static v1::PredictUpdate Update(const std::string& id, uint32_t step,
                                  v1::StopReason reason) {
    v1::PredictUpdate update;
    update.set_request_id(id);
    v1::Prediction& prediction = *update.add_predictions();
    prediction.set_step(step);
    prediction.set_final(reason != v1::STOP_REASON_UNSPECIFIED);
    prediction.set_stop_reason(reason);
    return update;
  }

  std::atomic<int> cancelled_ = 0;
  std::atomic<int> calls_ = 0;
  mutable absl::Mutex mu_;
  std::set<std::string> peers_ ABSL_GUARDED_BY(mu_);
};

// The service on a free port of 127.0.0.1, with health.
class FakeServer {
 public:
  FakeServer() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    target_ = absl::StrCat("127.0.0.1:", port);
  }
  ~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  const std::string& target() const { return target_; }
  const FakeService& service() const { return service_; }
  grpc::Server& server() { return *server_; }

  std::unique_ptr<Client> Connect() const {
    ClientOptions options;
    options.target = target_;
    return Client::Connect(options).value();
  }

 private:
  FakeService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string target_;
};

}  // namespace mre

#endif  // MRE_TESTS_CLIENT_FAKE_SERVER_H_
