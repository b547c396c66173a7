// Holds many streams open at once, for serve_bench.py to look at the server
// meanwhile.
//
//   hold_streams SERVER MODEL STREAMS CONNECTIONS served|unread
//
// "served": interactive streams that stay open. Each asks for one image and is
// answered, and when all are, all ask again at once; then prints
// "held STREAMS served ANSWERS failed FAILURES".
// "unread": streams of every step whose client never reads; prints "held
// STREAMS" when all have been started.
//
// Then waits for the end of its input and exits without closing anything. It
// needs one file descriptor a connection.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/blocking_counter.h"
#include "model/base/lock_order_checks.h"
#include "proto/mre/v1/anytime.grpc.pb.h"
#include "tests/e2e/server_process.h"

namespace mre {
namespace {

using Stub = v1::AnytimeInference::Stub;

// One interactive stream with at most one request open, whose ends it counts.
// Never deleted: it is there as long as the process.
class Talk
    : public grpc::ClientBidiReactor<v1::PredictControl, v1::PredictUpdate> {
 public:
  Talk(Stub& stub, std::atomic<int>& answered, std::atomic<int>& failed)
      : answered_(answered), failed_(failed) {
    stub.async()->PredictInteractive(&context_, this);
    AddHold();  // Ask writes from outside of the reactions.
    StartRead(&update_);
    StartCall();
  }

  // Opens a request; counts its end, then in `done`. REQUIRES: the one before
  // is done.
  void Ask(const v1::PredictControl& open, absl::BlockingCounter* done) {
    done_ = done;
    if (ended_) return End(failed_);
    StartWrite(&open);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      ended_ = true;  // For good: what is asked from now on fails.
      return End(failed_);
    }
    bool final = false;
    for (const v1::Prediction& prediction : update_.predictions()) {
      final |= prediction.final();
    }
    const bool refused = update_.has_error();
    StartRead(&update_);
    if (final) End(answered_);
    if (refused) End(failed_);
  }

 private:
  void End(std::atomic<int>& outcome) {
    absl::BlockingCounter* done = done_.exchange(nullptr);
    if (done == nullptr) return;
    ++outcome;
    done->DecrementCount();
  }

  grpc::ClientContext context_;
  v1::PredictUpdate update_;
  std::atomic<int>& answered_;
  std::atomic<int>& failed_;
  std::atomic<bool> ended_{false};
  std::atomic<absl::BlockingCounter*> done_{nullptr};
};

// A stream that is never read.
class Unread : public grpc::ClientReadReactor<v1::PredictUpdate> {
 public:
  Unread(Stub& stub, const v1::PredictRequest& request) {
    stub.async()->PredictStream(&context_, &request, this);
    StartCall();
  }

 private:
  grpc::ClientContext context_;
};

// With `narrow` the server may send 1 KB of a stream that is not read: what
// more there is waits with the server, not in this process.
std::vector<std::unique_ptr<Stub>> Connect(const std::string& server,
                                           int connections, bool narrow) {
  std::vector<std::unique_ptr<Stub>> stubs;
  for (int i = 0; i < connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (narrow) {
      arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
      arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1024);
    }
    stubs.push_back(v1::AnytimeInference::NewStub(grpc::CreateCustomChannel(
        server, grpc::InsecureChannelCredentials(), arguments)));
  }
  return stubs;
}

void AskAll(const std::vector<Talk*>& talks, const v1::PredictRequest& request,
            absl::string_view id) {
  v1::PredictControl control;
  control.set_request_id(std::string(id));
  *control.mutable_open() = request;
  absl::BlockingCounter done(static_cast<int>(talks.size()));
  for (Talk* talk : talks) talk->Ask(control, &done);
  done.Wait();
}

int Main(int argc, char** argv) {
  int streams = 0;
  int connections = 0;
  const absl::string_view mode = argc == 6 ? argv[5] : "";
  if (argc != 6 || !absl::SimpleAtoi(argv[3], &streams) || streams < 1 ||
      !absl::SimpleAtoi(argv[4], &connections) || connections < 1 ||
      (mode != "served" && mode != "unread")) {
    std::fprintf(stderr,
                 "usage: %s SERVER MODEL STREAMS CONNECTIONS served|unread\n",
                 argv[0]);
    return 2;
  }
  const std::vector<std::unique_ptr<Stub>> stubs =
      Connect(argv[1], connections, mode == "unread");
  v1::PredictRequest request = MakeRequest(argv[2]);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  if (mode == "served") {
    std::atomic<int> answered{0};
    std::atomic<int> failed{0};
    std::vector<Talk*> talks;
    for (int i = 0; i < streams; ++i) {
      talks.push_back(new Talk(*stubs[i % connections], answered, failed));
    }
    AskAll(talks, request, "first");
    AskAll(talks, request, "again");
    std::printf("held %d served %d failed %d\n", streams, answered.load(),
                failed.load());
  } else {
    request.mutable_output()->set_probabilities(true);
    request.mutable_output()->set_top_k(10);
    for (int i = 0; i < streams; ++i) {
      new Unread(*stubs[i % connections], request);
    }
    std::printf("held %d\n", streams);
  }
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  _exit(0);
}

}  // namespace
}  // namespace mre

int main(int argc, char** argv) {
  mre::TurnOffLockOrderChecks();
  return mre::Main(argc, argv);
}
