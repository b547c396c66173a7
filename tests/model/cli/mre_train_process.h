// A fixture that runs the real mre-train on a tiny data set.
#ifndef MRE_TESTS_MODEL_CLI_MRE_TRAIN_PROCESS_H_
#define MRE_TESTS_MODEL_CLI_MRE_TRAIN_PROCESS_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/model/data/tiny_data.h"

namespace mre {

class MreTrainTest : public ::testing::Test {
 protected:
  MreTrainTest()
      : dir_(absl::StrCat(::testing::TempDir(), "mre_train_test.", getpid())) {
    std::filesystem::remove_all(dir_);
    WriteIdxDataset(dir_, TinySplit(400, 1), TinySplit(40, 2), 8);
  }
  ~MreTrainTest() override { std::filesystem::remove_all(dir_); }

  std::string Path(const std::string& name) const { return dir_ + "/" + name; }

  // Flags of a short run that writes `out`.
  std::vector<std::string> Fit(const std::string& out) const {
    return {"fit",
            "--dataset=mnist",
            "--data_dir=" + dir_,
            "--out=" + Path(out),
            "--limit_train=300",
            "--width=16",
            "--hidden=16",
            "--max_steps=6",
            "--layers=2",
            "--experts=4",
            "--batch=20",
            "--epochs=6",
            "--ema=0.9",
            "--threads=1",
            "--augment=shift"};
  }
  std::vector<std::string> Resume(const std::string& out) const {
    return {"fit", "--data_dir=" + dir_, "--threads=1",
            "--resume=" + Path(out) + ".state"};
  }

  // Starts the binary; its output goes to files.
  pid_t Start(const std::vector<std::string>& args) const {
    const std::string out = Path("stdout");
    const std::string err = Path("stderr");
    std::vector<const char*> argv = {MRE_TRAIN_BINARY};
    for (const std::string& arg : args) argv.push_back(arg.c_str());
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
      dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
      execv(argv[0], const_cast<char**>(argv.data()));
      _exit(127);
    }
    return pid;
  }

  // Exit code, or 128 + the signal that ended it.
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  int Run(const std::vector<std::string>& args) const {
    return Wait(Start(args));
  }

  std::string Stderr() const { return *ReadFile(Path("stderr")); }
  std::string Stdout() const { return *ReadFile(Path("stdout")); }

  // The lines of a log, without what time it was.
  std::vector<nlohmann::json> Log(const std::string& name) const {
    std::istringstream text(*ReadFile(Path(name)));
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(text, line);) {
      lines.push_back(nlohmann::json::parse(line, nullptr, false));
      EXPECT_TRUE(lines.back().is_object()) << line;
      lines.back().erase("seconds");
    }
    return lines;
  }

  // The last step in a log that may still be written; 0 when there is none.
  int64_t LastStep(const std::string& name) const {
    std::ifstream file(Path(name));
    int64_t last = 0;
    for (std::string line; std::getline(file, line) && !file.eof();) {
      last = nlohmann::json::parse(line)["step"].get<int64_t>();
    }
    return last;
  }

  // Waits until the log has a step of at least `step`, or the process has
  // ended.
  void AwaitStep(pid_t pid, const std::string& log, int64_t step) const {
    siginfo_t ended = {};
    while (LastStep(log) < step && ended.si_pid == 0) {
      usleep(500);
      waitid(P_PID, static_cast<id_t>(pid), &ended,
             WEXITED | WNOHANG | WNOWAIT);
    }
  }

  const std::string dir_;
};

inline std::vector<std::string> With(std::vector<std::string> args,
                                     std::initializer_list<std::string> more) {
  args.insert(args.end(), more);
  return args;
}

}  // namespace mre

#endif  // MRE_TESTS_MODEL_CLI_MRE_TRAIN_PROCESS_H_
