// Streamed predictions a second of the real server against a bare gRPC echo of
// the same predictions, one a message (the server puts several in one when a
// write is in flight): what is left of the transport's limit once a model is
// behind it. Server and echo run in processes of their own, the load generator
// in this one, all on the same machine; runs alternate and the ratio is taken
// pair by pair.
//
//   stream_bench MODEL_REPOSITORY [STREAMS [SECONDS]]
//
// Every stream asks for all steps with DELIVERY_ALL and is replaced by a new
// one when it ends (closed loop).
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "model/base/lock_order_checks.h"
#include "proto/mre/v1/anytime.grpc.pb.h"
#include "tests/bench/report.h"
#include "tests/e2e/server_process.h"

namespace mre {
namespace {

constexpr int kRuns = 5;
constexpr char kModel[] = "fashion-mnist";

// Starts the echo of `server`'s streams; returns its address.
std::string StartEcho(const std::string& server) {
  int out[2];
  if (pipe(out) != 0) return "";
  if (fork() == 0) {
    dup2(out[1], STDOUT_FILENO);
    execl(MRE_ECHO_SERVER, "echo_server", server.c_str(), kModel, nullptr);
    _exit(127);
  }
  close(out[1]);
  std::string line;
  char c = 0;
  while (read(out[0], &c, 1) == 1 && c != '\n') line.push_back(c);
  close(out[0]);
  return line.substr(line.find('=') + 1);
}

// Keeps `streams` streams open for `seconds`; predictions a second.
class Load {
 public:
  Load(const std::string& target, const v1::PredictRequest& request)
      : request_(request),
        stub_(v1::AnytimeInference::NewStub(
            grpc::CreateChannel(target, grpc::InsecureChannelCredentials()))) {}

  double Run(int streams, double seconds) {
    predictions_ = 0;
    failures_ = 0;
    stop_ = false;
    absl::BlockingCounter open(streams);
    open_ = &open;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < streams; ++i) new Stream(this);
    absl::SleepFor(absl::Seconds(seconds));
    const double counted = static_cast<double>(predictions_);
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    stop_ = true;
    open.Wait();
    if (failures_ > 0) std::printf("%d streams failed\n", failures_.load());
    return counted / took;
  }

 private:
  class Stream : public grpc::ClientReadReactor<v1::PredictUpdate> {
   public:
    explicit Stream(Load* load) : load_(load) {
      load_->stub_->async()->PredictStream(&context_, &load_->request_, this);
      StartRead(&update_);
      StartCall();
    }
    void OnReadDone(bool ok) override {
      if (!ok) return;
      load_->predictions_ += update_.predictions_size();
      StartRead(&update_);
    }
    void OnDone(const grpc::Status& status) override {
      if (!status.ok()) ++load_->failures_;
      Load* load = load_;
      delete this;
      if (load->stop_) {
        load->open_->DecrementCount();
      } else {
        new Stream(load);
      }
    }

   private:
    Load* const load_;
    grpc::ClientContext context_;
    v1::PredictUpdate update_;
  };

  const v1::PredictRequest request_;
  const std::unique_ptr<v1::AnytimeInference::Stub> stub_;
  std::atomic<int64_t> predictions_{0};
  std::atomic<int> failures_{0};
  std::atomic<bool> stop_{false};
  absl::BlockingCounter* open_ = nullptr;
};

int Main(int argc, char** argv) {
  int streams = 64;
  double seconds = 2;
  if (argc < 2 || (argc > 2 && !absl::SimpleAtoi(argv[2], &streams)) ||
      (argc > 3 && !absl::SimpleAtod(argv[3], &seconds))) {
    std::fprintf(stderr, "usage: %s MODEL_REPOSITORY [STREAMS [SECONDS]]\n",
                 argv[0]);
    return 2;
  }
  const auto server = ServerProcess::StartOn(argv[1], {});
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 1;
  }
  v1::PredictRequest request = MakeRequest(kModel);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  const std::string echo = StartEcho((*server)->target());
  if (echo.empty()) {
    std::fprintf(stderr, "%s did not start\n", MRE_ECHO_SERVER);
    return 1;
  }
  PrintMachine();
  std::printf(
      "%d closed-loop streams of every step, DELIVERY_ALL, %g s a run\n"
      "   server/s     echo/s   ratio\n",
      streams, seconds);
  Load of_server((*server)->target(), request);
  Load of_echo(echo, request);
  of_server.Run(streams, 0.5);  // warm up
  of_echo.Run(streams, 0.5);
  std::vector<double> ratios;
  for (int run = 0; run < kRuns; ++run) {
    const double served = of_server.Run(streams, seconds);
    const double echoed = of_echo.Run(streams, seconds);
    ratios.push_back(served / echoed);
    std::printf("%11.0f %10.0f   %.3f\n", served, echoed, ratios.back());
  }
  const Spread ratio = SpreadOf(ratios);
  std::printf("ratio: median %.3f, range %.3f-%.3f\n", ratio.median,
              ratio.least, ratio.most);
  return 0;
}

}  // namespace
}  // namespace mre

int main(int argc, char** argv) {
  mre::TurnOffLockOrderChecks();
  return mre::Main(argc, argv);
}
