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
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "proto/mre/v1/anytime.grpc.pb.h"
#include "tests/bench/report.h"
#include "tests/e2e/server_process.h"

namespace mre {
namespace {

constexpr int kRuns = 5;

// Sends the recorded updates of one stream to whoever calls.
class EchoService : public v1::AnytimeInference::CallbackService {
 public:
  explicit EchoService(std::vector<v1::PredictUpdate> updates)
      : updates_(std::move(updates)) {}

  grpc::ServerWriteReactor<v1::PredictUpdate>* PredictStream(
      grpc::CallbackServerContext*, const v1::PredictRequest*) override {
    class Call : public grpc::ServerWriteReactor<v1::PredictUpdate> {
     public:
      explicit Call(const std::vector<v1::PredictUpdate>& updates)
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
    return new Call(updates_);
  }

 private:
  const std::vector<v1::PredictUpdate> updates_;
};

// Serves the recorded stream in `file` until killed; prints its port.
int ServeEcho(const char* file) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::ifstream in(file, std::ios::binary);
  std::vector<v1::PredictUpdate> updates;
  uint32_t size = 0;
  while (in.read(reinterpret_cast<char*>(&size), sizeof(size))) {
    std::string bytes(size, '\0');
    in.read(bytes.data(), size);
    updates.emplace_back().ParseFromString(bytes);
  }
  EchoService service(std::move(updates));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  std::printf("%d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

// Runs this program again as the echo; returns its address.
std::string StartEcho(const std::string& file) {
  int out[2];
  if (pipe(out) != 0) return "";
  if (fork() == 0) {
    dup2(out[1], STDOUT_FILENO);
    execl("/proc/self/exe", "echo", "--echo", file.c_str(), nullptr);
    _exit(127);
  }
  close(out[1]);
  std::string port;
  char c;
  while (read(out[0], &c, 1) == 1 && c != '\n') port.push_back(c);
  close(out[0]);
  return absl::StrCat("127.0.0.1:", port);
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

// Writes the stream of `request` to `file`: each update with one prediction,
// as a reader that keeps up gets them. Returns how many there are.
int Record(const Client& client, const v1::PredictRequest& request,
           const std::string& file) {
  std::ofstream out(file, std::ios::binary);
  int count = 0;
  const absl::Status status =
      client.Stream(request, [&](const v1::PredictUpdate& update) {
        for (const v1::Prediction& prediction : update.predictions()) {
          v1::PredictUpdate one = update;
          one.clear_predictions();
          *one.add_predictions() = prediction;
          const std::string bytes = one.SerializeAsString();
          const auto size = static_cast<uint32_t>(bytes.size());
          out.write(reinterpret_cast<const char*>(&size), sizeof(size));
          out << bytes;
          ++count;
        }
        return true;
      });
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return count;
}

int Main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--echo") return ServeEcho(argv[2]);
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
  v1::PredictRequest request = MakeRequest("fashion-mnist");
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  const TempDir dir;
  const int messages =
      Record(*(*server)->Connect(), request, dir.File("stream"));
  if (messages == 0) return 1;
  const std::string echo = StartEcho(dir.File("stream"));
  PrintMachine();
  std::printf(
      "%d closed-loop streams of %d predictions, DELIVERY_ALL, %g s a run\n"
      "   server/s     echo/s   ratio\n",
      streams, messages, seconds);
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

int main(int argc, char** argv) { return mre::Main(argc, argv); }
