// The real mre-loadtest against the real mre-server with the checkpoint that
// ships.
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

constexpr uint64_t kImages = 10000;  // Of the test set.

// One run of the program.
class Loadtest {
 public:
  explicit Loadtest(std::vector<std::string> flags) {
    flags.insert(flags.begin(), MRE_LOADTEST_BINARY);
    std::vector<char*> argv;
    for (std::string& flag : flags) argv.push_back(flag.data());
    argv.push_back(nullptr);
    const std::string out = dir_.File("out");
    const std::string err = dir_.File("err");
    pid_ = fork();
    if (pid_ == 0) {
      dup2(open(out.c_str(), O_CREAT | O_WRONLY, 0600), STDOUT_FILENO);
      dup2(open(err.c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  Loadtest(const Loadtest&) = delete;
  Loadtest& operator=(const Loadtest&) = delete;
  ~Loadtest() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  void Signal(int number) const { kill(pid_, number); }
  // Waits until it has said `text` on stderr.
  void AwaitErr(const std::string& text) const {
    const absl::Time limit = absl::Now() + absl::Seconds(60);
    while (!absl::StrContains(Err(), text)) {
      ASSERT_LT(absl::Now(), limit) << Err();
      absl::SleepFor(absl::Milliseconds(20));
    }
  }
  // Waits for the end; the exit code.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Out() const { return Read("out"); }
  std::string Err() const { return Read("err"); }

 private:
  std::string Read(const std::string& name) const {
    std::ifstream file(dir_.File(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  TempDir dir_;
  pid_t pid_ = -1;
};

uint64_t Sum(const Json& counts) {
  uint64_t sum = 0;
  for (const Json& count : counts) sum += count.get<uint64_t>();
  return sum;
}

// Every request of `part` is one of those that stopped or one that failed.
void ExpectAddsUp(const Json& part) {
  uint64_t failed = 0;
  for (const Json& failure : part["failures"]) {
    failed += failure["count"].get<uint64_t>();
    EXPECT_FALSE(failure["example"].get<std::string>().empty());
  }
  EXPECT_EQ(part["failed"], failed);
  EXPECT_EQ(part["ok"], Sum(part["stop_reasons"]));
  EXPECT_EQ(part["requests"].get<uint64_t>(),
            part["ok"].get<uint64_t>() + failed);
  EXPECT_EQ(part["latency_ms"]["count"], part["ok"]);
}

class LoadtestTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, ServerProcess::StartOn(MRE_ZOO, {}));
  }

  // With the server's address, unless they name one.
  std::vector<std::string> Flags(const std::vector<std::string>& more) const {
    std::vector<std::string> flags = {"--json"};
    flags.insert(flags.end(), more.begin(), more.end());
    for (const std::string& flag : more) {
      if (absl::StartsWith(flag, "--server=")) return flags;
    }
    flags.push_back("--server=" + server_->target());
    return flags;
  }

  // Waits until the server has had so many requests: the run is under way.
  void AwaitRequests(double count) const {
    const absl::Time limit = absl::Now() + absl::Seconds(60);
    while (server_->Metrics().Sum("mre_requests_total") < count) {
      ASSERT_LT(absl::Now(), limit);
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  // A run to its end that does well; its report, which is checked.
  Json Run(const std::vector<std::string>& more) {
    Loadtest run(Flags(more));
    EXPECT_EQ(run.Wait(), 0) << run.Err();
    return Parse(run);
  }

  static Json Parse(const Loadtest& run) {
    const Json json = Json::parse(run.Out(), nullptr, false);
    if (!json.is_object()) {
      ADD_FAILURE() << "no JSON: " << run.Out() << run.Err();
      return {};
    }
    ExpectAddsUp(json["all"]);
    uint64_t requests = 0;
    uint64_t ok = 0;
    for (const Json& part : json["classes"]) {
      ExpectAddsUp(part);
      requests += part["requests"].get<uint64_t>();
      ok += part["ok"].get<uint64_t>();
    }
    EXPECT_EQ(json["all"]["requests"], requests);
    EXPECT_EQ(json["all"]["ok"], ok);
    EXPECT_EQ(json["due"].get<uint64_t>(),
              requests + json["not_started"].get<uint64_t>());
    return json;
  }

  std::unique_ptr<ServerProcess> server_;
};

// The README's accuracy of the checkpoint after one expert, and its cost.
TEST_F(LoadtestTest, OnePassOverTheTestSetHasItsAccuracyByEachMethod) {
  for (const char* method : {"predict", "stream", "interactive"}) {
    SCOPED_TRACE(method);
    const Json json = Run(
        {absl::StrCat("--method=", method), "--requests=10000", "--warmup=0s",
         "--concurrency=64", "--max_steps=1", "--connections=2"});
    const Json& all = json["all"];
    EXPECT_EQ(all["requests"], kImages);
    EXPECT_EQ(all["ok"], kImages);
    EXPECT_EQ(all["labelled"], kImages);
    EXPECT_NEAR(all["accuracy"].get<double>(), 0.8805, 1e-9);
    EXPECT_EQ(all["mean_steps"], 1.0);
    EXPECT_EQ(all["mean_macs"], 62720.0);
    EXPECT_EQ(all["stop_reasons"], Json({{"max_steps", kImages}}));
    const bool steps = std::string(method) != "predict";
    EXPECT_EQ(all["step_gap_ms"]["count"], steps ? kImages : 0);
    EXPECT_EQ(all["first_prediction_ms"]["count"], kImages);
    EXPECT_NEAR(all["steps_per_s"].get<double>(),
                all["requests_per_s"].get<double>() * (steps ? 2 : 1), 1);
    EXPECT_LE(all["first_prediction_ms"]["p50"].get<double>(),
              all["latency_ms"]["p50"].get<double>());
  }
  // The server has seen as many: no request was sent twice.
  EXPECT_EQ(server_->Metrics().Sum("mre_rows_total"), 3.0 * kImages);
}

TEST_F(LoadtestTest, TheMetricsPageGivesTheServersCpuAndMemory) {
  const Json json =
      Run({"--duration=1s", "--warmup=200ms", "--concurrency=8",
           "--objective_ms=60000", "--metrics=" + server_->metrics_target()});
  EXPECT_GT(json["server"]["cpu_s"].get<double>(), 0);
  EXPECT_GT(json["server"]["cores"].get<double>(), 0);
  EXPECT_GT(json["server"]["resident_bytes_after"].get<double>(), 1e6);
  EXPECT_GT(json["client"]["cpu_s"].get<double>(), 0);
  EXPECT_NEAR(json["window_s"].get<double>(), 1, 1e-6);
  EXPECT_EQ(json["all"]["good"], json["all"]["ok"]);
  EXPECT_EQ(json["connection_lost"], false);
}

TEST_F(LoadtestTest, ClassesGetTheirSharesAndTheirBudgets) {
  const Json json = Run({"--requests=2000", "--warmup=0s", "--concurrency=32",
                         "--class=short:3:max_steps=2",
                         "--class=sure:1:min_confidence=0.5,stable_steps=0",
                         "--class=cheap:1:max_macs=70000"});
  const Json& parts = json["classes"];
  ASSERT_EQ(parts.size(), 3u);
  const double shares[] = {0.6, 0.2, 0.2};
  for (size_t i = 0; i < 3; ++i) {
    const double sigma = std::sqrt(2000 * shares[i] * (1 - shares[i]));
    EXPECT_NEAR(parts[i]["requests"].get<double>(), 2000 * shares[i],
                4 * sigma);
  }
  EXPECT_EQ(parts[0]["name"], "short");
  EXPECT_EQ(parts[0]["stop_reasons"],
            Json({{"max_steps", parts[0]["requests"]}}));
  EXPECT_EQ(parts[0]["mean_steps"], 2.0);
  EXPECT_GT(parts[1]["stop_reasons"]["confidence"].get<uint64_t>(),
            parts[1]["requests"].get<uint64_t>() * 9 / 10);
  EXPECT_EQ(parts[2]["stop_reasons"],
            Json({{"max_macs", parts[2]["requests"]}}));
  EXPECT_EQ(parts[2]["mean_steps"], 1.0);
}

// A server that stands still for half a second while requests become due each
// 2.5 ms. A tool that waits for an answer before it asks again would see one
// slow request; here all that were due in that time have waited.
TEST_F(LoadtestTest, AStallIsInTheLatencyOfAllThatWereDueInIt) {
  constexpr double kRate = 400;
  constexpr double kStallMs = 500;
  Loadtest run(Flags({"--rate=400", "--arrival=uniform", "--duration=4s",
                      "--warmup=0s", "--max_steps=1"}));
  AwaitRequests(200);
  server_->Signal(SIGSTOP);
  absl::SleepFor(absl::Milliseconds(kStallMs));
  server_->Signal(SIGCONT);
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const Json json = Parse(run);
  const Json& all = json["all"];
  EXPECT_EQ(all["requests"], 4 * kRate);
  EXPECT_EQ(all["failed"], 0);
  // 200 of the 1,600 were due in the stall, evenly: the slowest 1 % waited for
  // more than 460 ms of it, and the 93.75th in a hundred for half of it.
  EXPECT_GT(all["latency_ms"]["p99"].get<double>(), 0.8 * kStallMs);
  EXPECT_GT(all["latency_ms"]["mean"].get<double>(),
            0.8 * kStallMs / 2 * (kStallMs / 4000));
  EXPECT_LT(all["latency_ms"]["p50"].get<double>(), 0.5 * kStallMs);
  // The client itself was not late.
  EXPECT_LT(all["start_delay_ms"]["p50"].get<double>(), 50);
}

TEST_F(LoadtestTest, WhatCannotBeStartedIsReported) {
  Loadtest run(Flags({"--rate=500", "--arrival=uniform", "--duration=1500ms",
                      "--warmup=0s", "--max_in_flight=5", "--max_steps=1"}));
  AwaitRequests(50);
  server_->Signal(SIGSTOP);
  absl::SleepFor(absl::Seconds(2));  // Until the window is over.
  server_->Signal(SIGCONT);
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const Json json = Parse(run);
  EXPECT_EQ(json["due"], 750);
  EXPECT_GE(json["not_started"].get<uint64_t>(), 100u);
  EXPECT_GE(json["held_back"].get<uint64_t>(), 1u);
  EXPECT_THAT(json["warnings"].dump(), HasSubstr("could not be started"));
}

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

// A server that takes the connection and says nothing.
TEST(LoadtestSignalTest, ASignalBeforeTheRunEndsTheProcess) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener, generic, size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, generic, &size), 0);
  Loadtest run({absl::StrCat("--server=127.0.0.1:", ntohs(address.sin_port)),
                "--connect_timeout=10m"});
  const int connection = accept(listener, nullptr, nullptr);
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), -1);  // By the signal.
  close(connection);
  close(listener);
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

TEST_F(LoadtestTest, FailuresHaveTheirCodeAndAMessage) {
  Loadtest run(Flags({"--class=fits:1:max_steps=1", "--class=not:1:max_macs=5",
                      "--requests=400", "--warmup=0s", "--concurrency=16"}));
  EXPECT_EQ(run.Wait(), 0);
  const Json json = Parse(run);
  const Json& failing = json["classes"][1];
  EXPECT_EQ(failing["ok"], 0);
  ASSERT_EQ(failing["failures"].size(), 1u);
  EXPECT_EQ(failing["failures"][0]["code"], "INVALID_ARGUMENT");
  EXPECT_THAT(failing["failures"][0]["example"].get<std::string>(),
              HasSubstr("53888"));
  EXPECT_EQ(json["classes"][0]["failed"], 0);
}

TEST(LoadtestShapeTest, AModelOfAnotherShapeNeedsRandomInputs) {
  const TempDir root;
  ModelConfig config = FashionConfig();
  config.input.shape = {4, 6, 1};
  ASSERT_THAT(
      WriteToRepository(root.path(), "small", 1, RandomModel(config, 1)),
      IsOk());
  ASSERT_OK_AND_ASSIGN(const auto server,
                       ServerProcess::StartOn(root.path(), {}));
  Loadtest wrong({"--server=" + server->target()});
  EXPECT_EQ(wrong.Wait(), 2);
  EXPECT_THAT(wrong.Err(), HasSubstr("the model takes 4x6x1"));
  EXPECT_THAT(wrong.Err(), HasSubstr("--random_inputs"));
  Loadtest random({"--server=" + server->target(), "--random_inputs",
                   "--requests=50", "--warmup=0s"});
  EXPECT_EQ(random.Wait(), 0) << random.Err();
  EXPECT_THAT(random.Out(), HasSubstr("256 random inputs"));
  EXPECT_THAT(random.Out(), Not(HasSubstr("warning")));
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

TEST(LoadtestUsageTest, HelpAndVersionAreNoErrors) {
  Loadtest help({"--help"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.Out(), HasSubstr("--max_in_flight"));
  Loadtest version({"--version"});
  EXPECT_EQ(version.Wait(), 0);
  EXPECT_THAT(version.Out(), HasSubstr("mre-loadtest "));
}

}  // namespace
}  // namespace mre
