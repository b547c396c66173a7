// A bare gRPC echo of what an mre-server streams, to measure what the transport
// alone takes.
//
//   echo_server SERVER MODEL [MAX_MACS]
//
// Asks SERVER for one stream of a random image, every step under the budget,
// and then answers each PredictStream with it, one prediction a message as a
// reader that keeps up gets them, whatever the request says. GetModel answers
// with SERVER's model, so that mre-loadtest can be the client. Prints one line
// when it is ready: echo ready grpc=HOST:PORT. Ends with its parent.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "client/cc/client.h"
#include "model/base/lock_order_checks.h"
#include "proto/mre/v1/anytime.grpc.pb.h"
#include "tests/e2e/server_process.h"

namespace mre {
namespace {

// Writes `updates`, which must outlive it, one by one; deletes itself.
class EchoCall : public grpc::ServerWriteReactor<v1::PredictUpdate> {
 public:
  explicit EchoCall(const std::vector<v1::PredictUpdate>& updates)
      : updates_(updates) {
    Next();
  }
  void OnWriteDone(bool ok) override {
    if (ok) Next();
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    const v1::PredictUpdate* update = &updates_[next_++];
    if (next_ == updates_.size()) {
      StartWriteAndFinish(update, {}, grpc::Status::OK);
    } else {
      StartWrite(update);
    }
  }

  const std::vector<v1::PredictUpdate>& updates_;
  size_t next_ = 0;
};

class EchoService : public v1::AnytimeInference::CallbackService {
 public:
  // REQUIRES: updates is not empty.
  EchoService(v1::ModelInfo model, std::vector<v1::PredictUpdate> updates)
      : model_(std::move(model)), updates_(std::move(updates)) {}

  grpc::ServerWriteReactor<v1::PredictUpdate>* PredictStream(
      grpc::CallbackServerContext*, const v1::PredictRequest*) override {
    return new EchoCall(updates_);
  }

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest*,
                                     v1::ModelInfo* response) override {
    *response = model_;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const v1::ModelInfo model_;
  const std::vector<v1::PredictUpdate> updates_;
};

// The predictions of a stream, each in an update of its own.
absl::StatusOr<std::vector<v1::PredictUpdate>> Record(const Client& client,
                                                      const std::string& model,
                                                      uint64_t max_macs) {
  v1::PredictRequest request = MakeRequest(model);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  request.mutable_budget()->set_max_macs(max_macs);
  std::vector<v1::PredictUpdate> updates;
  const absl::Status status =
      client.Stream(request, [&](const v1::PredictUpdate& update) {
        for (const v1::Prediction& prediction : update.predictions()) {
          v1::PredictUpdate& one = updates.emplace_back(update);
          one.clear_predictions();
          *one.add_predictions() = prediction;
        }
        return true;
      });
  if (!status.ok()) return status;
  if (updates.empty()) return absl::InternalError("the stream was empty");
  return updates;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "echo_server: %s\n", status.ToString().c_str());
  return 1;
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  uint64_t max_macs = 0;
  if (argc < 3 || argc > 4 ||
      (argc == 4 && !absl::SimpleAtoi(argv[3], &max_macs))) {
    std::fprintf(stderr, "usage: %s SERVER MODEL [MAX_MACS]\n", argv[0]);
    return 2;
  }
  ClientOptions options;
  options.target = argv[1];
  const auto client = Client::Connect(options);
  if (!client.ok()) return Fail(client.status());
  auto model = (*client)->FindModel(argv[2]);
  if (!model.ok()) return Fail(model.status());
  auto updates = Record(**client, argv[2], max_macs);
  if (!updates.ok()) return Fail(updates.status());

  EchoService service(*std::move(model), *std::move(updates));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  std::printf("echo ready grpc=127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace mre

int main(int argc, char** argv) {
  mre::TurnOffLockOrderChecks();
  return mre::Main(argc, argv);
}
