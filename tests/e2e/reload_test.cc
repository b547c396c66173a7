// Models that change while they are asked: nobody fails, nobody gets the
// numbers of two checkpoints in one answer, and nothing is left behind.
#include <stdio.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/cc/async_calls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "tests/e2e/server_process.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

constexpr char kName[] = "changing";
constexpr int kInputs = 4;

// Bits of a whole answer.
std::string Digest(const std::vector<v1::Prediction>& predictions) {
  std::string digest;
  for (v1::Prediction prediction : predictions) {
    prediction.clear_elapsed();
    absl::StrAppend(&digest, prediction.SerializeAsString(), ";");
  }
  return digest;
}

v1::PredictRequest Request(int input) {
  v1::PredictRequest request = MakeRequest(kName, 1, 100 + input);
  request.mutable_output()->set_probabilities(true);
  request.mutable_output()->set_delivery(v1::DELIVERY_ALL);
  return request;
}

// Streams that are asked for again as soon as they have ended.
class Streams {
 public:
  // `answers[input]`: what may be answered.
  Streams(const Client* client, int count,
          std::vector<std::vector<std::string>> answers)
      : answers_(std::move(answers)), calls_(client) {
    for (int i = 0; i < count; ++i) {
      streams_.push_back(std::make_unique<Stream>(this, i % kInputs));
    }
    for (const auto& stream : streams_) stream->Ask();
  }

  // Those that run are cancelled.
  ~Streams() { stopping_.store(true); }

  // Waits until all have ended.
  void Stop() {
    stopping_.store(true);
    absl::MutexLock lock(&mu_);
    const auto none = [this] {
      mu_.AssertHeld();
      return ended_ == streams_.size();
    };
    mu_.Await(absl::Condition(&none));
  }

  int64_t answered(int checkpoint) const { return answered_[checkpoint]; }
  // The first that was wrong; empty: none.
  std::string Wrong() const {
    absl::MutexLock lock(&mu_);
    return wrong_;
  }

 private:
  struct Stream : CallListener {
    Stream(Streams* all, int input) : all(all), input(input) {}
    void Ask() {
      predictions.clear();
      all->calls_.Stream(Request(input), {}, this);
    }
    void OnUpdate(const v1::PredictUpdate& update) override {
      for (const auto& p : update.predictions()) predictions.push_back(p);
    }
    void OnDone(const absl::Status& status) override {
      all->Judge(*this, status);
      if (!all->stopping_.load()) return Ask();
      absl::MutexLock lock(&all->mu_);
      ++all->ended_;
    }

    Streams* const all;
    const int input;
    std::vector<v1::Prediction> predictions;
  };

  void Judge(const Stream& stream, const absl::Status& status) {
    const std::string digest = Digest(stream.predictions);
    for (size_t i = 0; i < answers_[stream.input].size(); ++i) {
      if (status.ok() && digest == answers_[stream.input][i]) {
        ++answered_[i];
        return;
      }
    }
    absl::MutexLock lock(&mu_);
    if (!wrong_.empty()) return;
    wrong_ = status.ok()
                 ? absl::StrCat("an answer of ", stream.predictions.size(),
                                " predictions of no checkpoint")
                 : status.ToString();
  }

  const std::vector<std::vector<std::string>> answers_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int64_t> answered_[2] = {0, 0};
  mutable absl::Mutex mu_;
  size_t ended_ ABSL_GUARDED_BY(mu_) = 0;
  std::string wrong_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Stream>> streams_;
  AsyncCalls calls_;  // first to go
};

class ReloadTest : public testing::Test {
 protected:
  void Write(int64_t version, int checkpoint) {
    ASSERT_THAT(
        WriteToRepository(root_.path(), kName, version, models_[checkpoint]),
        IsOk());
  }
  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags = {"--model_control_mode=poll",
                                      "--repository_poll_seconds=0.02",
                                      "--brownout=off"};
    flags.insert(flags.end(), more.begin(), more.end());
    auto server = ServerProcess::StartOn(root_.path(), flags);
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
    client_ = server_->Connect();
  }
  // What each checkpoint answers to each input, alone.
  std::vector<std::vector<std::string>> Answers() {
    std::vector<std::vector<std::string>> answers(kInputs);
    for (int checkpoint = 0; checkpoint < 2; ++checkpoint) {
      TempDir root;
      EXPECT_THAT(WriteToRepository(root.path(), kName, 1, models_[checkpoint]),
                  IsOk());
      const auto server = ServerProcess::StartOn(root.path(), {});
      EXPECT_THAT(server, IsOk());
      const auto client = (*server)->Connect();
      for (int input = 0; input < kInputs; ++input) {
        const auto predictions = Collect(*client, Request(input));
        EXPECT_THAT(predictions, IsOk());
        EXPECT_EQ(predictions->size(), kQuickSteps + 1);
        answers[input].push_back(Digest(*predictions));
      }
    }
    EXPECT_NE(answers[0][0], answers[0][1]);
    return answers;
  }
  double Loads(const std::string& result = "loaded") const {
    return server_->Metrics().Sum("mre_model_loads_total",
                                  {"result=\"" + result + "\""});
  }
  bool AwaitLoads(double loads, const std::string& result = "loaded") const {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (Loads(result) < loads) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }

  const Model models_[2] = {RandomModel(FashionConfig(), 1),
                            RandomModel(FashionConfig(), 2)};
  TempDir root_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(ReloadTest, TwoHundredReloadsUnderLoadAreNotNoticed) {
  constexpr int kReloads = 200;
  constexpr int kWarm = 50;
  const auto answers = Answers();
  Write(1, 0);
  Start();
  Streams streams(client_.get(), 64, answers);
  int64_t warm = 0;
  for (int reload = 1; reload <= kReloads; ++reload) {
    Write(1, reload % 2);
    ASSERT_TRUE(AwaitLoads(1 + reload));
    if (reload == kWarm) warm = server_->MemoryBytes();
  }
  const int64_t grown = server_->MemoryBytes() - warm;
  // They are loaded on a thread that gives way to the others.
  EXPECT_THAT(server_->ThreadNices(), testing::Contains(10));
  streams.Stop();
  EXPECT_EQ(streams.Wrong(), "");
  EXPECT_GT(streams.answered(0), 0);
  EXPECT_GT(streams.answered(1), 0);
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(grown, 24 << 20);  // 150 models would be 370 MiB
#endif
  const MetricsPage page = server_->Metrics();
  EXPECT_EQ(page.Sum("mre_requests_total"),
            page.Sum("mre_requests_total", {"code=\"OK\""}));
  // One version, which goes on counting.
  EXPECT_GE(page.Sum("mre_rows_total"),
            streams.answered(0) + streams.answered(1));
  std::printf(
      "answered by either checkpoint: %ld, %ld; memory grew by %ld KiB "
      "over the last %d reloads\n",
      static_cast<long>(streams.answered(0)),
      static_cast<long>(streams.answered(1)), static_cast<long>(grown >> 10),
      kReloads - kWarm);
}

TEST_F(ReloadTest, NewVersionsTakeOverAndOldOnesLeaveNothingBehind) {
  constexpr int kVersions = 20;
  const auto answers = Answers();
  Write(1, 0);
  Start();
  Streams streams(client_.get(), 16, answers);
  for (int version = 2; version <= kVersions; ++version) {
    Write(version, version % 2);
    ASSERT_TRUE(AwaitLoads(version));
  }
  streams.Stop();
  EXPECT_EQ(streams.Wrong(), "");
  // Once their last rows have ended.
  const auto page_says = [&](int version) {
    return server_->Metrics().Has("mre_rows_total",
                                  {absl::StrCat("version=\"", version, "\"")});
  };
  for (int i = 0; i < 500 && page_says(kVersions - 1); ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  for (int version = 1; version < kVersions; ++version) {
    EXPECT_FALSE(page_says(version)) << version;
  }
  EXPECT_TRUE(page_says(kVersions));
  EXPECT_EQ(server_->Metrics().Sum("mre_model_ready"), 1);
}

TEST_F(ReloadTest, ADamagedVersionLeavesTheOldOneServing) {
  Write(1, 0);
  Start();
  const std::string path = root_.File(absl::StrCat(kName, "/2"));
  std::filesystem::create_directories(path);
  ASSERT_THAT(WriteFileAtomically(path + "/model.safetensors", "damaged"),
              IsOk());
  ASSERT_TRUE(AwaitLoads(1, "refused"));
  const auto predictions = Collect(*client_, Request(0));
  ASSERT_THAT(predictions, IsOk());
  ASSERT_OK_AND_ASSIGN(const auto newest, client_->GetModel(kName));
  EXPECT_EQ(newest.model_version(), 1);
  ASSERT_OK_AND_ASSIGN(const auto damaged, client_->GetModel(kName, 2));
  EXPECT_EQ(damaged.state(), v1::MODEL_STATE_FAILED);
  EXPECT_THAT(damaged.error(), testing::HasSubstr("2/model.safetensors"));
  EXPECT_EQ(server_->Metrics().Sum("mre_model_ready", {"version=\"2\""}), 0);
  // Mended, it takes over.
  Write(2, 1);
  ASSERT_TRUE(AwaitLoads(2));
  EXPECT_EQ(client_->GetModel(kName)->model_version(), 2);
}

TEST_F(ReloadTest, TheCommandLineLoadsUnloadsAndAsksByLabel) {
  constexpr char kToken[] = "boss-0123456789abcdef";
  Write(1, 0);
  Write(2, 1);
  TempDir files;
  ASSERT_THAT(
      WriteFileAtomically(
          files.File("tokens.json"),
          absl::StrCat(R"({"tokens": [{"name": "boss", "token": ")", kToken,
                       R"(", "scopes": ["infer", "admin"]}]})")),
      IsOk());
  ASSERT_THAT(
      WriteFileAtomically(files.File("config.json"),
                          absl::StrCat(R"({"models": {")", kName,
                                       R"(": {"labels": {"old": 1}}}})")),
      IsOk());
  ASSERT_THAT(WriteFileAtomically(files.File("input"), std::string(784, 'x')),
              IsOk());
  ASSERT_OK_AND_ASSIGN(
      const auto server,
      ServerProcess::StartOn(
          root_.path(),
          {"--model_control_mode=explicit",
           absl::StrCat("--config=", files.File("config.json")),
           absl::StrCat("--token_file=", files.File("tokens.json"))}));
  // What `mre` prints; its exit code.
  const auto mre = [&](const std::string& words, std::string* out) {
    const std::string command =
        absl::StrCat("MRE_TOKEN=", kToken, " ", MRE_CLI_BINARY, " ", words,
                     " --server=", server->target(), " 2>&1");
    FILE* const pipe = popen(command.c_str(), "r");
    out->clear();
    char buffer[4096];
    while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) {
      out->append(buffer, n);
    }
    return WEXITSTATUS(pclose(pipe));
  };
  const std::string predict = absl::StrCat("predict --json --model=", kName,
                                           " --raw=", files.File("input"));
  std::string out;
  EXPECT_EQ(mre(predict, &out), 1) << out;
  EXPECT_EQ(mre(absl::StrCat("load ", kName), &out), 0) << out;
  EXPECT_EQ(out, absl::StrCat("loaded ", kName, "\n"));
  EXPECT_EQ(mre(predict, &out), 0) << out;
  EXPECT_THAT(out, testing::HasSubstr(R"("model_version":"2")"));
  // A version that has a label is served beside the newest.
  EXPECT_EQ(mre(predict + " --model_label=old", &out), 0) << out;
  EXPECT_THAT(out, testing::HasSubstr(R"("model_version":"1")"));
  EXPECT_EQ(mre(predict + " --model_label=other", &out), 1) << out;
  EXPECT_THAT(out, testing::HasSubstr("model_label"));
  EXPECT_EQ(mre(absl::StrCat("unload ", kName), &out), 0) << out;
  EXPECT_EQ(mre(predict, &out), 1) << out;
  EXPECT_EQ(mre("load none", &out), 1) << out;
}

}  // namespace
}  // namespace mre
