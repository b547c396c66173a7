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
  ASSERT_TRUE(server.AwaitNoRows(absl::Seconds(5)));
  const double then = Activations(server);
  EXPECT_LT(then, rows * kSlowSteps);
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(Activations(server), then);
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
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto stub = v1::AnytimeInference::NewStub(grpc::CreateCustomChannel(
      server->target(), grpc::InsecureChannelCredentials(), arguments));
  constexpr int kStreams = 40;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::PredictUpdate>>> readers;
  const auto open = [&](v1::Delivery delivery) {
    for (int i = 0; i < kStreams; ++i) {
      v1::PredictRequest request = MakeRequest(kSlow, 1, i);
      request.mutable_output()->set_delivery(delivery);
      request.mutable_output()->set_probabilities(true);
      contexts.push_back(std::make_unique<grpc::ClientContext>());
      readers.push_back(stub->PredictStream(contexts.back().get(), request));
    }
  };
  // Reads nothing. Of ALL, rows pause at their full outboxes.
  open(v1::DELIVERY_ALL);
  double before = -1;
  double now = Activations(*server);
  while (now != before || now == 0) {
    before = now;
    absl::SleepFor(absl::Milliseconds(200));
    now = Activations(*server);
  }
  EXPECT_EQ(server->Metrics().Sum("mre_active_rows"), kStreams);
  EXPECT_LT(now, kStreams * kSlowSteps);
  const int64_t memory = server->MemoryBytes();
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_LT(server->MemoryBytes() - memory, 1 << 20);

  // Somebody who reads is served meanwhile.
  const auto client = server->Connect();
  EXPECT_THAT(client->Predict(MakeRequest(kQuick)), IsOk());

  // Of LATEST, rows run to their end, and one prediction a row waits.
  open(v1::DELIVERY_LATEST);
  const absl::Time deadline = absl::Now() + absl::Seconds(100);
  while (server->Metrics().Sum("mre_rows_total", {"model=\"slow\""}) <
             kStreams &&
         absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(server->Metrics().Sum("mre_rows_total", {"model=\"slow\""}),
            kStreams);
  const int64_t after = server->MemoryBytes();
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_LT(server->MemoryBytes() - after, 1 << 20);

  for (const auto& context : contexts) context->TryCancel();
  EXPECT_TRUE(server->AwaitNoRows(absl::Seconds(5)));
  for (const auto& reader : readers) reader->Finish();
}

}  // namespace
}  // namespace mre
