// Runs the real binary on a tiny data set: flags, exit codes, log, and being
// killed at any moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/rng.h"
#include "model/io/checkpoint.h"
#include "tests/model/cli/mre_train_process.h"
#include "tests/model/data/tiny_data.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The run is killed when its log reaches a step that is drawn, up to twelve
// steps on from where the kill before it came, and up to two milliseconds later
// (a few steps). A draw of no steps kills it as it starts.
TEST_F(MreTrainTest, KilledAtRandomMomentsEndsInTheSameBytes) {
  const auto logged = [&](std::vector<std::string> args, const char* log) {
    return With(std::move(args),
                {"--log=" + Path(log), "--log_every=1", "--save_every=2"});
  };
  ASSERT_EQ(Run(logged(Fit("whole"), "whole.log")), 0) << Stderr();
  const std::string whole = *ReadFile(Path("whole"));
  const uint64_t seed = 1;
  Rng rng(seed);
  int kills = 0;
  int resumes = 0;
  int code = -1;
  for (int attempt = 0; attempt < 500 && code != 0; ++attempt) {
    const bool resume = std::filesystem::exists(Path("killed.state"));
    const int64_t target = LastStep("killed.log") + rng.Below(13);
    const pid_t pid =
        Start(logged(resume ? Resume("killed") : Fit("killed"), "killed.log"));
    AwaitStep(pid, "killed.log", target);
    usleep(static_cast<useconds_t>(rng.Below(2000)));
    kill(pid, SIGKILL);  // Does nothing to a run that has ended.
    code = Wait(pid);
    ASSERT_TRUE(code == 0 || code == 128 + SIGKILL) << code << " " << Stderr();
    if (code != 0) ++kills;
    if (resume) ++resumes;
  }
  ASSERT_EQ(code, 0);
  EXPECT_GT(kills, 0);
  EXPECT_GT(resumes, 0);
  EXPECT_EQ(*ReadFile(Path("killed")), whole) << "seed " << seed;
  EXPECT_EQ(Log("killed.log"), Log("whole.log"));
}

TEST_F(MreTrainTest, SigtermSavesAndSaysHowToGoOn) {
  ASSERT_EQ(
      Run(With(Fit("whole"), {"--log=" + Path("whole.log"), "--log_every=1"})),
      0)
      << Stderr();
  const pid_t pid = Start(
      With(Fit("it's stopped"), {"--log=" + Path("a log"), "--log_every=1"}));
  // Until training has begun.
  AwaitStep(pid, "a log", 1);
  kill(pid, SIGTERM);
  const int code = Wait(pid);
  if (code == 0) GTEST_SKIP() << "the run ended before the signal came";
  EXPECT_EQ(code, 1);
  // The command, as a shell reads it.
  std::string command = Stderr();
  const std::string hint = "go on with: mre-train ";
  ASSERT_THAT(command, HasSubstr(hint));
  command = absl::StrCat(MRE_TRAIN_BINARY, " ",
                         command.substr(command.find(hint) + hint.size()));
  command.pop_back();
  ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
  EXPECT_EQ(*ReadFile(Path("it's stopped")), *ReadFile(Path("whole")));
  EXPECT_EQ(Log("a log"), Log("whole.log"));
}

TEST_F(MreTrainTest, ResumeRefusesAnotherRecipeByFlag) {
  ASSERT_EQ(Run(Fit("model")), 0) << Stderr();
  EXPECT_EQ(Run(With(Resume("model"), {"--lr=0.5"})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--lr: the state was made with"));
  EXPECT_EQ(Run(With(Resume("model"), {"--batch=20"})), 0) << Stderr();
}

TEST_F(MreTrainTest, CheckpointTellsHowItWasMadeAndNothingElse) {
  ASSERT_EQ(Run(Fit("model")), 0) << Stderr();
  const auto model = LoadCheckpoint(Path("model"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->config.training, Not(HasSubstr(dir_)));
  const auto record = nlohmann::json::parse(model->config.training);
  EXPECT_EQ(record["dataset"], "mnist");
  EXPECT_EQ(record["epochs"], 6);
  EXPECT_EQ(record["evaluated_on"], "test");
  EXPECT_EQ(record["accuracy"].size(), 7);
}

TEST_F(MreTrainTest, ConvertHalvesACheckpoint) {
  ASSERT_EQ(Run(Fit("model")), 0) << Stderr();
  EXPECT_THAT(Stdout(), HasSubstr("MB of memory at the peak"));
  ASSERT_EQ(Run({"convert", Path("model"), Path("half")}), 0) << Stderr();
  EXPECT_LT(std::filesystem::file_size(Path("half")),
            0.8 * std::filesystem::file_size(Path("model")));
  EXPECT_EQ(Run({"info", Path("half")}), 0) << Stderr();
  EXPECT_EQ(Run({"convert", Path("model"), Path("half")}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--overwrite"));
  EXPECT_EQ(Run({"convert", Path("model"), Path("x"), "--dtype=f16"}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--dtype"));
  ASSERT_EQ(Run({"convert", Path("model"), Path("short"), "--max_steps=1"}), 0)
      << Stderr();
  EXPECT_EQ(LoadCheckpoint(Path("short"))->config.expert_steps(), 1);
  EXPECT_EQ(Run({"convert", Path("model"), Path("x"), "--max_steps=-1"}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--max_steps"));
}

TEST_F(MreTrainTest, EvalAndInfoDescribeTheCheckpoint) {
  ASSERT_EQ(Run(Fit("model")), 0) << Stderr();
  ASSERT_EQ(Run({"eval", "--checkpoint=" + Path("model"), "--dataset=mnist",
                 "--data_dir=" + dir_, "--steps=6", "--json"}),
            0)
      << Stderr();
  const auto json = nlohmann::json::parse(Stdout());
  const auto model = LoadCheckpoint(Path("model"));
  const auto record = nlohmann::json::parse(model->config.training);
  ASSERT_EQ(json["steps"].size(), 7);
  for (int t = 0; t < 7; ++t) {
    EXPECT_EQ(json["steps"][t]["accuracy"], record["accuracy"][t]);
  }
  EXPECT_EQ(json["expert_use"].size(), 8);
  const std::string evaluated = Stdout();
  // It knows what it was trained on.
  ASSERT_EQ(
      Run({"eval", Path("model"), "--data_dir=" + dir_, "--steps=6", "--json"}),
      0)
      << Stderr();
  EXPECT_EQ(Stdout(), evaluated);
  // As many classes, of images of that size.
  EXPECT_EQ(Run({"eval", Path("model"), "--dataset=fashion-mnist",
                 "--data_dir=" + dir_}),
            2);
  EXPECT_THAT(Stderr(), HasSubstr("--dataset: the model's classes are 0, 1, "));
  ASSERT_EQ(Run({"info", Path("model")}), 0) << Stderr();
  const std::string info = Stdout();
  EXPECT_THAT(info, HasSubstr("\n  width            16\n"));
  EXPECT_THAT(info, Not(HasSubstr("layers.1.experts.3.down.weight")));
  ASSERT_EQ(Run({"info", "--checkpoint=" + Path("model"), "--tensors"}), 0)
      << Stderr();
  EXPECT_THAT(Stdout(), StartsWith(info));
  EXPECT_THAT(Stdout(), HasSubstr("layers.1.experts.3.down.weight"));
}

TEST_F(MreTrainTest, LearnsTextAndTellsItsPerplexity) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += i % 3 == 0 ? "to be, " : "or not ";
  WriteBytes(Path("input.txt"), text);
  std::vector<std::string> fit = Fit("model");
  *std::find(fit.begin(), fit.end(), "--dataset=mnist") = "--dataset=text";
  ASSERT_EQ(Run(fit), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--augment: expected none for text"));
  fit.erase(std::find(fit.begin(), fit.end(), "--augment=shift"));
  fit.insert(fit.end(), {"--window=12", "--embedding=4", "--max_updates=40",
                         "--log=" + Path("log")});
  ASSERT_EQ(Run(fit), 0) << Stderr();
  EXPECT_THAT(Stdout(), HasSubstr("perplexity"));
  EXPECT_EQ(LastStep("log"), 40);
  const auto model = LoadCheckpoint(Path("model"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config.input.shape, (std::vector<int64_t>{1, 12, 1}));
  // The window is the model's; there is no flag for it.
  const std::vector<std::string> eval = {"eval",           Path("model"),
                                         "--dataset=text", "--data_dir=" + dir_,
                                         "--steps=6",      "--json"};
  ASSERT_EQ(Run(eval), 0) << Stderr();
  const auto json = nlohmann::json::parse(Stdout());
  for (const auto& step : json["steps"]) {
    EXPECT_NEAR(step["perplexity"].get<double>(),
                std::exp(step["loss"].get<double>()), 1e-9);
  }
  // As many characters, but others.
  std::replace(text.begin(), text.end(), 'b', 'B');
  WriteBytes(Path("input.txt"), text);
  EXPECT_EQ(Run(eval), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--data_dir: expected a text of the"));
}

TEST_F(MreTrainTest, EvalSimulatesStopRulesAndNoise) {
  ASSERT_EQ(Run(Fit("model")), 0) << Stderr();
  std::vector<std::string> other = Fit("other");
  *std::find(other.begin(), other.end(), "--experts=4") = "--kind=mlp";
  *std::find(other.begin(), other.end(), "--max_steps=6") = "--max_steps=2";
  ASSERT_EQ(Run(other), 0) << Stderr();
  const std::vector<std::string> eval = {
      "eval", Path("model"), "--dataset=mnist", "--data_dir=" + dir_};
  ASSERT_EQ(Run(With(eval, {"--min_confidence=0.6", "--router_noise=2",
                            "--reference=" + Path("other"), "--json"})),
            0)
      << Stderr();
  const auto json = nlohmann::json::parse(Stdout());
  const auto& stop = json["stop"];
  EXPECT_GT(stop["steps"], 0);
  EXPECT_LT(stop["steps"], 8);
  EXPECT_GE(stop["rank_correlation"], -1);
  EXPECT_LE(stop["rank_correlation"], 1);
  EXPECT_EQ(stop["steps_by_decile"].size(), 10);
  EXPECT_EQ(stop["steps"], json["curve"][1]["steps"]);  // that of 0.6
  EXPECT_EQ(json["robustness"]["loss"][0], json["steps"][0]["loss"]);
  EXPECT_NE(json["robustness"]["loss"][1], json["steps"][1]["loss"]);
  EXPECT_EQ(Run({"eval", Path("other"), "--dataset=mnist", "--data_dir=" + dir_,
                 "--router_noise=2"}),
            2);
  EXPECT_THAT(Stderr(), HasSubstr("--router_noise: expected 0 for a model of "
                                  "the kind mlp"));
  // A reference judges where it was trained to end, not at all its experts.
  std::vector<std::string> first = Fit("first");
  *std::find(first.begin(), first.end(), "--max_steps=6") = "--max_steps=1";
  ASSERT_EQ(Run(first), 0) << Stderr();
  auto unsaid = LoadCheckpoint(Path("first"));
  ASSERT_TRUE(unsaid.ok()) << unsaid.status();
  unsaid->config.training = "{}";
  unsaid->config.max_steps = 0;
  ASSERT_TRUE(SaveCheckpoint(*unsaid, Path("unsaid")).ok());
  std::vector<nlohmann::json> deciles;
  for (const char* reference : {"first", "unsaid"}) {
    ASSERT_EQ(Run(With(eval, {"--min_confidence=0.6", "--json",
                              "--reference=" + Path(reference)})),
              0)
        << Stderr();
    deciles.push_back(nlohmann::json::parse(Stdout())["stop"]);
  }
  EXPECT_NE(deciles[0], deciles[1]);
  EXPECT_EQ(Run({"eval", Path("unsaid"), "--data_dir=" + dir_}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--dataset: expected one of"));
  EXPECT_EQ(Run(With(eval, {"--reference=" + Path("other")})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--reference: expected a stop rule"));
  EXPECT_EQ(Run(With(eval, {"--min_confidence=1.5"})), 2);
  EXPECT_EQ(Run(With(eval, {"--router_noise=-1"})), 2);
  EXPECT_EQ(Run(With(eval, {"--validation=-5"})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--validation: expected"));
  EXPECT_EQ(Run(With(eval, {"--threads=-3"})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--threads: expected a number in [0, 1024]"));
}

TEST_F(MreTrainTest, LearnsFromColourImages) {
  WriteCifar10Dataset(dir_, 8);
  std::vector<std::string> fit = Fit("model");
  *std::find(fit.begin(), fit.end(), "--dataset=mnist") = "--dataset=cifar10";
  *std::find(fit.begin(), fit.end(), "--limit_train=300") = "--limit_train=0";
  ASSERT_EQ(Run(fit), 0) << Stderr();
  const auto model = LoadCheckpoint(Path("model"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config.input.shape, (std::vector<int64_t>{32, 32, 3}));
  EXPECT_EQ(model->config.input.mean.size(), 3);
  EXPECT_EQ(
      Run({"eval", Path("model"), "--dataset=cifar10", "--data_dir=" + dir_}),
      0)
      << Stderr();
  EXPECT_EQ(
      Run({"eval", Path("model"), "--dataset=mnist", "--data_dir=" + dir_}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("expects inputs of 32x32x3"));
}

TEST_F(MreTrainTest, ReplacesNothingUnasked) {
  ASSERT_EQ(Run(Fit("model")), 0) << Stderr();
  EXPECT_EQ(Run(With(Fit("model"), {"--seed=1"})), 2);
  EXPECT_THAT(Stderr(), AllOf(HasSubstr("model is there already; --overwrite"),
                              HasSubstr("--resume=" + Path("model.state"))));
  // The state alone, as a stopped run leaves it.
  const std::string first = *ReadFile(Path("model"));
  std::filesystem::remove(Path("model"));
  EXPECT_EQ(Run(With(Fit("model"), {"--seed=1"})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("model.state is there already"));
  ASSERT_EQ(Run(With(Fit("model"), {"--seed=1", "--overwrite"})), 0)
      << Stderr();
  EXPECT_NE(*ReadFile(Path("model")), first);
}

TEST_F(MreTrainTest, FindsOutAtOnceThatItCannotWrite) {
  const std::vector<std::string> fit = Fit("x");
  const auto out = [&](const std::string& path) {
    std::vector<std::string> args = fit;
    *std::find(args.begin(), args.end(), "--out=" + Path("x")) =
        "--out=" + path;
    return args;
  };
  EXPECT_EQ(Run(out(dir_)), 2);
  EXPECT_THAT(Stderr(), HasSubstr("is a directory"));
  EXPECT_EQ(Run(out(Path("new/"))), 2);
  EXPECT_THAT(Stderr(), HasSubstr("is a directory"));
  EXPECT_EQ(Run(out("/dev/null")), 2);
  EXPECT_THAT(Stderr(), HasSubstr("not a regular file"));
  EXPECT_EQ(Run(out("/proc/model")), 2);
  EXPECT_THAT(Stderr(), AllOf(StartsWith("mre-train: --out: create"),
                              Not(HasSubstr("epoch"))));
}

TEST_F(MreTrainTest, ExplainsAMissingState) {
  EXPECT_EQ(Run(Resume("never")), 1);
  EXPECT_THAT(Stderr(), AllOf(HasSubstr("there is no " + Path("never.state")),
                              HasSubstr("--save_every=N")));
}

TEST_F(MreTrainTest, NotesWhatIsLeftUndone) {
  ASSERT_EQ(Run(With(Fit("model"), {"--log=" + Path("log")})), 0) << Stderr();
  EXPECT_THAT(Stderr(), Not(HasSubstr("note:")));
  ASSERT_EQ(Run(Resume("model")), 0) << Stderr();
  EXPECT_THAT(Stderr(), HasSubstr("note: no --log"));
  std::vector<std::string> all = Fit("all");
  *std::find(all.begin(), all.end(), "--limit_train=300") = "--limit_train=401";
  ASSERT_EQ(Run(all), 0) << Stderr();
  EXPECT_THAT(Stderr(), HasSubstr("note: --limit_train=401: there are 400"));
}

TEST_F(MreTrainTest, LogLinesAreJsonWithSteps) {
  ASSERT_EQ(Run(With(Fit("model"), {"--log=" + Path("log"), "--log_every=5"})),
            0)
      << Stderr();
  int64_t last = 0;
  int epochs = 0;
  for (const auto& line : Log("log")) {
    EXPECT_GE(line["step"], last);
    last = line["step"];
    epochs += line["event"] == "epoch";
  }
  EXPECT_EQ(last, 6 * 15);
  EXPECT_EQ(epochs, 6);
}

TEST_F(MreTrainTest, WrongUsageExitsWithTwo) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_EQ(Run({"foo"}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("mre-train: unknown command \"foo\""));
  EXPECT_EQ(Run({"eval", "--foo"}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("unknown argument \"--foo\""));
  EXPECT_EQ(Run({"fit", "--no_such_flag"}), 2);
  EXPECT_EQ(Run({"fit", "--lr=fast", "--out=x"}), 2);
  EXPECT_EQ(Run({"fit", "--kind=dense", "--out=x"}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--kind: expected one of mre"));
  EXPECT_EQ(Run({"fit", "--precision=bf16", "--out=x"}), 2);
  EXPECT_EQ(Run({"fit", "--threads=-1", "--out=x"}), 2);
  EXPECT_EQ(Run({"fit"}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--out"));
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_THAT(Stdout(), StartsWith("mre-train "));
  EXPECT_EQ(Run({"fit", "--help"}), 0);
  EXPECT_THAT(Stdout(),
              AllOf(HasSubstr("--weight_decay"),
                    HasSubstr("fashion-mnist, mnist, cifar10, usps")));
}

TEST_F(MreTrainTest, FailuresExitWithOne) {
  EXPECT_EQ(Run({"info", Path("missing")}), 1);
  EXPECT_EQ(Run({"eval", "--checkpoint=" + Path("stderr")}), 1);
}

}  // namespace
}  // namespace mre
