// The real mre-loadtest in a process of its own, and its report.
#ifndef MRE_TESTS_E2E_LOADTEST_PROCESS_H_
#define MRE_TESTS_E2E_LOADTEST_PROCESS_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/e2e/server_process.h"
#include "tests/support/status_matchers.h"

namespace mre {

using Json = nlohmann::json;

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

inline uint64_t Sum(const Json& counts) {
  uint64_t sum = 0;
  for (const Json& count : counts) sum += count.get<uint64_t>();
  return sum;
}

// Every request of `part` is one of those that stopped or one that failed.
inline void ExpectAddsUp(const Json& part) {
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

// Against the real mre-server with the checkpoint that ships.
class LoadtestTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, ServerProcess::StartOn(MRE_ZOO, {}));
  }

  // With the server's address and the model's name, unless they say others.
  std::vector<std::string> Flags(const std::vector<std::string>& more) const {
    std::vector<std::string> flags = {"--json"};
    for (const std::string& flag : {"--server=" + server_->target(),
                                    std::string("--model=fashion-mnist")}) {
      const std::string name = flag.substr(0, flag.find('=') + 1);
      if (std::none_of(more.begin(), more.end(), [&](const std::string& other) {
            return absl::StartsWith(other, name);
          })) {
        flags.push_back(flag);
      }
    }
    flags.insert(flags.end(), more.begin(), more.end());
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

}  // namespace mre

#endif  // MRE_TESTS_E2E_LOADTEST_PROCESS_H_
