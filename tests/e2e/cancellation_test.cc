// Clients that go away: their rows are freed, and nobody else notices.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/mre/v1/anytime.grpc.pb.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

double Activations(const ServerProcess& server) {
  return server.Metrics().Sum("mre_expert_activations_total");
}

// No row is left, and none of the `rows` that there were ran to its end.
void ExpectFreed(const ServerProcess& server, int rows) {
  ASSERT_TRUE(server.AwaitNoRows(absl::Seconds(30)));
  const double then = Activations(server);
  EXPECT_LT(then, rows * kSlowSteps);
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(Activations(server), then);
}

// A connection of its own that takes 64 KiB a stream unread, and no more
// however fast it seems.
std::unique_ptr<v1::AnytimeInference::Stub> ConnectWithSmallWindow(
    const ServerProcess& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return v1::AnytimeInference::NewStub(grpc::CreateCustomChannel(
      server.target(), grpc::InsecureChannelCredentials(), arguments));
}

TEST(CancellationTest, ACancelAfterTheFirstMessageStopsTheComputation) {
  ASSERT_OK_AND_ASSIGN(const auto server, ServerProcess::Start());
  const auto client = server->Connect();
  v1::PredictRequest request = MakeRequest(kSlow);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  int updates = 0;
  ASSERT_THAT(client->Stream(request,
                             [&](const v1::PredictUpdate&) {
                               ++updates;
                               return false;
                             }),
              IsOk());
  EXPECT_EQ(updates, 1);
  ExpectFreed(*server, 1);
}

TEST(CancellationTest, AKilledClientStopsTheComputation) {
  ASSERT_OK_AND_ASSIGN(const auto server, ServerProcess::Start());
  const TempDir dir;
  const std::string raw = dir.File("image.raw");
  std::ofstream(raw) << std::string(28 * 28, 'x');
  int out[2];
  ASSERT_EQ(pipe(out), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    const std::string target = "--server=" + server->target();
    const std::string model = std::string("--model=") + kSlow;
    execl(MRE_CLI_BINARY, MRE_CLI_BINARY, "stream", target.c_str(),
          model.c_str(), "--raw", raw.c_str(), "--json", "--delivery=all",
          nullptr);
    _exit(127);
  }
  close(out[1]);
  char c;
  ASSERT_EQ(read(out[0], &c, 1), 1) << "the client printed nothing";
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(out[0]);
  ExpectFreed(*server, 1);
}

TEST(CancellationTest, ReadersThatNeverReadCostBoundedMemory) {
  ASSERT_OK_AND_ASSIGN(const auto server, ServerProcess::Start());
  const auto stub = ConnectWithSmallWindow(*server);
  constexpr int kStreams = 40;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::PredictUpdate>>> readers;
  const auto rows = [&] {
    return server->Metrics().Sum("mre_rows_total", {"model=\"slow\""});
  };
  const auto open = [&](v1::Delivery delivery) {
    for (int i = 0; i < kStreams; ++i) {
      v1::PredictRequest request = MakeRequest(kSlow, 1, i);
      request.mutable_output()->set_delivery(delivery);
      request.mutable_output()->set_probabilities(true);
      contexts.push_back(std::make_unique<grpc::ClientContext>());
      readers.push_back(stub->PredictStream(contexts.back().get(), request));
    }
  };
  // As many rows as there will be, so that their run state, which is kept, is
  // not counted.
  const auto client = server->Connect();
  v1::PredictRequest warm = MakeRequest(kSlow, 3 * kStreams);
  warm.mutable_budget()->set_max_steps(1);
  ASSERT_THAT(client->Predict(warm), IsOk());
  // Nor what the metrics page's threads keep.
  for (int i = 0; i < 10; ++i) rows();
  const int64_t memory = server->MemoryBytes();
  // What a stream may hold: gRPC's buffers (64 KiB are written ahead) and a
  // full outbox.
  constexpr int64_t kAStream = 128 << 10;

  // Reads nothing. Of ALL, rows pause at their full outboxes.
  const double first = Activations(*server);
  const absl::Time deadline = absl::Now() + absl::Seconds(100);
  open(v1::DELIVERY_ALL);
  double before = -1;
  double now = Activations(*server);
  const auto active = [&] { return server->Metrics().Sum("mre_active_rows"); };
  while ((active() < kStreams || now != before || now == first) &&
         absl::Now() < deadline) {
    before = now;
    absl::SleepFor(absl::Milliseconds(200));
    now = Activations(*server);
  }
  EXPECT_EQ(active(), kStreams);
  EXPECT_LT(now - first, kStreams * kSlowSteps);
  EXPECT_LT(server->MemoryBytes() - memory, kStreams * kAStream);

  // Somebody who reads is served meanwhile.
  EXPECT_THAT(client->Predict(MakeRequest(kQuick)), IsOk());

  // Of LATEST, rows run to their end, and one prediction a row waits.
  const double finished = rows();
  open(v1::DELIVERY_LATEST);
  while (rows() < finished + kStreams && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(rows(), finished + kStreams);
  EXPECT_LT(server->MemoryBytes() - memory, 2 * kStreams * kAStream);

  for (const auto& context : contexts) context->TryCancel();
  EXPECT_TRUE(server->AwaitNoRows(absl::Seconds(30)));
  for (const auto& reader : readers) reader->Finish();
}

TEST(CancellationTest, AReaderThatStopsForEverIsCutOff) {
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::Start({"--stall_seconds=0.5"}));
  const auto stub = ConnectWithSmallWindow(*server);
  v1::PredictRequest request = MakeRequest(kSlow, 16);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  request.mutable_output()->set_probabilities(true);
  grpc::ClientContext context;
  const auto reader = stub->PredictStream(&context, request);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (server->Metrics().Sum("mre_requests_total", {"code=\"CANCELLED\""}) ==
             0 &&
         absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(server->AwaitNoRows(absl::Seconds(30)));
  // When it reads again, it gets what was sent before, and is told.
  v1::PredictUpdate update;
  while (reader->Read(&update)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

// It takes longer than the limit, but no message of it does.
TEST(CancellationTest, AReaderThatIsSlowButSteadyIsServed) {
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::Start({"--stall_seconds=3"}));
  const auto stub = ConnectWithSmallWindow(*server);
  constexpr int kRows = 16;
  v1::PredictRequest request = MakeRequest(kSlow, kRows);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  request.mutable_output()->set_probabilities(true);
  grpc::ClientContext context;
  const auto reader = stub->PredictStream(&context, request);
  v1::PredictUpdate update;
  int exhausted = 0;
  const absl::Time start = absl::Now();
  // Slow for so long that the whole of it is beyond the limit.
  absl::Duration slow;
  while (reader->Read(&update)) {
    for (const v1::Prediction& prediction : update.predictions()) {
      if (prediction.stop_reason() == v1::STOP_REASON_EXHAUSTED) ++exhausted;
    }
    slow = absl::Now() - start;
    if (slow < absl::Seconds(5)) absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_GE(slow, absl::Seconds(5)) << "too few messages to be slow with";
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(exhausted, kRows);
}

}  // namespace
}  // namespace mre
