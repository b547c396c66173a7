// How a run of mre-loadtest ends when it does not end by itself.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/loadtest_process.h"
#include "tests/support/mute_server.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(LoadtestTest, AnInterruptEndsTheRunEarlyAndReports) {
  Loadtest run(Flags({"--duration=10m", "--warmup=0s", "--concurrency=4"}));
  AwaitRequests(1);
  run.AwaitErr("in flight");  // A line of progress.
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait(), 0) << run.Err();
  const Json json = Parse(run);
  EXPECT_EQ(json["interrupted"], true);
  EXPECT_GT(json["all"]["ok"].get<uint64_t>(), 0u);
  EXPECT_GT(json["window_s"].get<double>(), 0.5);
  EXPECT_LT(json["window_s"].get<double>(), 60);
}

TEST_F(LoadtestTest, AnInterruptWhileRequestsEndDoesNotWaitForThem) {
  // Of a run that was whole, and of one that an interrupt has ended.
  for (const bool whole : {true, false}) {
    SCOPED_TRACE(whole);
    const double before = server_->Metrics().Sum("mre_requests_total");
    Loadtest run(Flags({absl::StrCat("--duration=", whole ? "2s" : "10m"),
                        "--warmup=0s", "--concurrency=3", "--drain=10m"}));
    AwaitRequests(before + 20);
    server_->Signal(SIGSTOP);
    if (!whole) run.Signal(SIGINT);
    run.AwaitErr("ending");
    run.Signal(SIGINT);
    EXPECT_EQ(run.Wait(), 1);  // The server does not answer.
    server_->Signal(SIGCONT);
    const Json json = Parse(run);
    EXPECT_EQ(json["interrupted"], !whole);
    EXPECT_EQ(json["cancelled"], 3);
  }
}

TEST(LoadtestSignalTest, ASignalBeforeTheRunEndsTheProcess) {
  MuteServer server;
  Loadtest run({"--server=" + server.target(), "--connect_timeout=10m"});
  const int connection = server.Accept();
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), -1);  // By the signal.
  close(connection);
}

TEST_F(LoadtestTest, RequestsThatDoNotEndAreCancelledAndCountAsFailed) {
  double requests = 0;
  for (const char* method : {"stream", "interactive"}) {
    SCOPED_TRACE(method);
    Loadtest run(Flags({absl::StrCat("--method=", method), "--duration=2s",
                        "--warmup=0s", "--concurrency=3", "--drain=200ms"}));
    AwaitRequests(requests + 20);
    server_->Signal(SIGSTOP);
    // The report comes without the server; that it is gone, too.
    const int code = run.Wait();
    server_->Signal(SIGCONT);
    requests = server_->Metrics().Sum("mre_requests_total");
    EXPECT_EQ(code, 1);
    const Json json = Parse(run);
    EXPECT_EQ(json["connection_lost"], true);
    EXPECT_EQ(json["cancelled"], 3);
    EXPECT_EQ(json["all"]["failures"][0]["code"], "CANCELLED");
    EXPECT_EQ(json["all"]["failed"], 3);
  }
}

TEST_F(LoadtestTest, AServerThatGoesAwayEndsTheRun) {
  for (const char* method : {"predict", "interactive"}) {
    SCOPED_TRACE(method);
    Loadtest run(Flags({absl::StrCat("--method=", method), "--duration=10m",
                        "--warmup=0s", "--concurrency=3"}));
    AwaitRequests(20);
    server_->Signal(SIGTERM);
    EXPECT_EQ(server_->Wait(), 0);
    EXPECT_EQ(run.Wait(), 1);
    const Json json = Parse(run);
    EXPECT_EQ(json["connection_lost"], true);
    EXPECT_GT(json["all"]["ok"].get<uint64_t>(), 0u);
    EXPECT_THAT(run.Err(), HasSubstr("was lost"));
    ASSERT_OK_AND_ASSIGN(server_, ServerProcess::StartOn(MRE_ZOO, {}));
  }
}

TEST_F(LoadtestTest, SaysWhatIsWrongWithTheExitCodeThatGoesWithIt) {
  struct Case {
    std::vector<std::string> flags;
    int code;
    const char* says;
  };
  const TempDir empty;
  const std::vector<Case> cases = {
      {{"--model=nope"}, 1, "no model \"nope\""},
      {{"--server=127.0.0.1:1", "--connect_timeout=200ms"}, 1, "no connection"},
      {{"--metrics=127.0.0.1:1"}, 1, "no metrics"},
      {{"--max_macs=5", "--requests=20", "--warmup=0s"},
       1,
       "no request succeeded"},
      {{"--server=nowhere"}, 2, "HOST:PORT"},
      {{"--dataset_dir=" + empty.path()}, 2, "neither"},
      {{"--class=a:b"}, 2, "the share is"},
      {{"--class=a:1", "--max_steps=3"}, 2, "here are both"},
      {{"--rate=5", "--concurrency=5"}, 2, "--concurrency excludes --rate"},
      {{"--rate=0"}, 2, "--rate"},
      {{"--rate=1e18"}, 2, "not from 0.001 to"},
      {{"--requests=0"}, 2, "--requests"},
      {{"--method=telepathy"}, 2, "--method"},
      {{"--bogus"}, 2, "unknown argument \"--bogus\""},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.flags[0]);
    Loadtest run(Flags(one.flags));
    EXPECT_EQ(run.Wait(), one.code);
    EXPECT_THAT(run.Err(), HasSubstr("mre-loadtest: "));
    EXPECT_THAT(run.Err(), HasSubstr(one.says));
  }
}

TEST(LoadtestModelTest, OneThatIsNotReadyIsNotAsked) {
  const TempDir root;
  const Model model = RandomModel(FashionConfig(), 1);
  for (const char* name : {"good", "broken"}) {
    ASSERT_THAT(WriteToRepository(root.path(), name, 1, model), IsOk());
  }
  std::filesystem::resize_file(root.File("broken/1/model.safetensors"), 100);
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  Loadtest run({"--server=" + server->target(), "--model=broken"});
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.Err(), HasSubstr("is not ready: "));
  EXPECT_THAT(run.Out(), IsEmpty());
}

TEST(LoadtestDeadlineTest, IsOfEachRequest) {
  ASSERT_OK_AND_ASSIGN(const auto server, ServerProcess::Start());
  Loadtest run({"--server=" + server->target(), "--json", "--random_inputs",
                absl::StrCat("--model=", kSlow), "--deadline=1ms",
                "--concurrency=20", "--requests=100", "--warmup=0s"});
  run.Wait();
  const Json json = Json::parse(run.Out(), nullptr, false);
  ASSERT_TRUE(json.is_object()) << run.Out() << run.Err();
  EXPECT_EQ(json["config"]["deadline"], "1ms");
  EXPECT_EQ(json["all"]["failures"][0]["code"], "DEADLINE_EXCEEDED");
}

}  // namespace
}  // namespace mre
