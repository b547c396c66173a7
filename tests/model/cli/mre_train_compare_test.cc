// `mre-train compare` as a process: a tiny plan, stopped, killed, run again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/model/cli/mre_train_process.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPlan[] = R"({"name": "tiny", "title": "Tiny",
  "defaults": {"dataset": "mnist", "limit_train": 300, "width": 16,
               "hidden": 16, "layers": 2, "batch": 20, "epochs": 4},
  "runs": [{"name": "ray", "recipe": {"kind": "mre", "experts": 4,
                                      "max_steps": 6}},
           {"name": "plain", "recipe": {"kind": "mlp"}}],
  "seeds": [0, 1], "targets": [0.5],
  "pairs": [{"baseline": "plain", "against": ["ray"]}],
  "evaluation": {"reference": "plain"}})";

class MreTrainCompareTest : public MreTrainTest {
 protected:
  MreTrainCompareTest() { WriteBytes(Path("plan.json"), kPlan); }

  std::vector<std::string> Compare(const std::string& out) const {
    return {"compare", Path("plan.json"), "--out=" + Path(out), "--threads=1",
            "--data_dir=mnist=" + dir_};
  }
  bool Exists(const std::string& name) const {
    return std::filesystem::exists(Path(name));
  }
  // results.jsonl without what depends on the machine.
  std::string Results(const std::string& out) const {
    std::istringstream text(*ReadFile(Path(out + "/results.jsonl")));
    std::string kept;
    for (std::string line; std::getline(text, line);) {
      auto json = nlohmann::json::parse(line);
      json.erase("seconds");
      json.erase("evaluation_seconds");
      json.erase("peak_memory_bytes");
      for (auto& epoch : json["epochs"]) epoch.erase("seconds");
      kept += json.dump() + "\n";
    }
    return kept;
  }
};

TEST_F(MreTrainCompareTest, TrainsAllAndReports) {
  ASSERT_EQ(Run(Compare("out")), 0) << Stderr();
  // A report after each seed.
  EXPECT_THAT(Stdout(), AllOf(HasSubstr("2 of 4 trainings done"),
                              HasSubstr("4 of 4 trainings done")));
  EXPECT_THAT(Stderr(), AllOf(HasSubstr("training 1 of 4: ray, seed 0"),
                              HasSubstr("training 4 of 4: plain, seed 1 (3 "
                                        "done")));
  std::istringstream lines(*ReadFile(Path("out/results.jsonl")));
  std::vector<std::string> order;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    order.push_back(json["run"].get<std::string>() + json["seed"].dump());
    EXPECT_EQ(json["epochs"].size(), 4);
    EXPECT_GT(json["peak_memory_bytes"], 1 << 20);
    EXPECT_GT(json["seconds"], 0);
    EXPECT_EQ(json["recipe"]["epochs"], 4);
    EXPECT_EQ(json["epochs"][3]["accuracy"].back(),
              json["evaluation"]["steps"].back()["accuracy"]);
  }
  EXPECT_EQ(order,
            (std::vector<std::string>{"ray0", "ray1", "plain0", "plain1"}));
  const std::string report = *ReadFile(Path("out/report.md"));
  EXPECT_THAT(report, AllOf(HasSubstr("# Tiny"), HasSubstr("| ray | 2 |"),
                            HasSubstr("### Use against difficulty"),
                            HasSubstr("--data_dir=mnist=" + dir_),
                            Not(HasSubstr("Not finished"))));
  EXPECT_TRUE(Exists("out/plots/accuracy-step-mnist.gp"));
  EXPECT_FALSE(Exists("out/runs/ray/0/model.safetensors.state"));
  for (const std::string run : {"ray", "plain"}) {
    EXPECT_NE(Exists("out/runs/" + run + "/0/model.safetensors"),
              Exists("out/runs/" + run + "/1/model.safetensors"))
        << run;
  }
}

TEST_F(MreTrainCompareTest, RunAgainTrainsNothingAndReportsTheSame) {
  ASSERT_EQ(Run(Compare("out")), 0) << Stderr();
  const std::string results = *ReadFile(Path("out/results.jsonl"));
  const std::string report = *ReadFile(Path("out/report.md"));
  ASSERT_EQ(Run(Compare("out")), 0) << Stderr();
  EXPECT_THAT(Stderr(), Not(HasSubstr("training")));
  EXPECT_EQ(*ReadFile(Path("out/results.jsonl")), results);
  EXPECT_EQ(*ReadFile(Path("out/report.md")), report);
}

TEST_F(MreTrainCompareTest, StoppedAndKilledEndsInTheSameResults) {
  ASSERT_EQ(Run(With(Compare("whole"), {"--keep_models"})), 0) << Stderr();
  EXPECT_TRUE(Exists("whole/runs/ray/0/model.safetensors"));
  EXPECT_TRUE(Exists("whole/runs/ray/1/model.safetensors"));
  int stopped = 0;
  int killed = 0;
  int code = -1;
  const std::vector<std::string> compare =
      With(Compare("broken"), {"--keep_models"});
  // By turns, always once two more epochs of the run under way are logged.
  for (int attempt = 0; attempt < 40 && code != 0; ++attempt) {
    const int signal = attempt % 2 == 0 ? SIGTERM : SIGKILL;
    const pid_t pid = Start(compare);
    const std::string log = attempt < 4 ? "broken/runs/ray/0/log.jsonl"
                                        : "broken/runs/plain/1/log.jsonl";
    AwaitStep(pid, log, 15 * (1 + attempt % 4));
    kill(pid, signal);
    code = Wait(pid);
    if (code == 1) {
      ++stopped;
      EXPECT_THAT(Stderr(), HasSubstr("the same command goes on from there"));
      EXPECT_THAT(*ReadFile(Path("broken/report.md")),
                  HasSubstr("Not finished"));
    } else if (code == 128 + signal) {
      // SIGTERM, too, before the program has begun to wait for it.
      ++killed;
    } else {
      ASSERT_EQ(code, 0) << Stderr();
    }
  }
  ASSERT_EQ(Run(compare), 0) << Stderr();
  EXPECT_GT(stopped + killed, 0);
  EXPECT_EQ(Results("broken"), Results("whole"));
  EXPECT_EQ(*ReadFile(Path("broken/runs/ray/1/model.safetensors")),
            *ReadFile(Path("whole/runs/ray/1/model.safetensors")));
}

TEST_F(MreTrainCompareTest, OnlyOneRunMakesAPartOfTheReport) {
  ASSERT_EQ(Run(With(Compare("out"), {"--only=plain"})), 0) << Stderr();
  EXPECT_THAT(Stdout(), HasSubstr("2 of 4 trainings done"));
  EXPECT_THAT(*ReadFile(Path("out/report.md")),
              HasSubstr("seeds done in brackets: ray (0 of 2)."));
  EXPECT_EQ(Run(With(Compare("out"), {"--only=round"})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--only: the plan has no run \"round\""));
}

TEST_F(MreTrainCompareTest, ATakenNameNeedsTheSameRecipeAndData) {
  ASSERT_EQ(Run(Compare("out")), 0) << Stderr();
  std::string plan = kPlan;
  plan.replace(plan.find("\"epochs\": 4"), 11, "\"epochs\": 5");
  WriteBytes(Path("plan.json"), plan);
  EXPECT_EQ(Run(Compare("out")), 1);
  EXPECT_THAT(Stderr(), HasSubstr("another recipe for the run \"ray\""));
  plan = kPlan;
  plan.replace(plan.find("\"evaluation\": {"), 15,
               "\"evaluation\": {\"router_noise\": 1, ");
  WriteBytes(Path("plan.json"), plan);
  EXPECT_EQ(Run(Compare("out")), 1);
  EXPECT_THAT(Stderr(), AllOf(HasSubstr("runs/ray/0"),
                              HasSubstr("it was evaluated with router_noise "
                                        "0.5, the plan says 1")));
  // There is nothing that noise disturbs in the other run.
  std::filesystem::remove_all(Path("out/runs/ray"));
  EXPECT_EQ(Run(With(Compare("out"), {"--only=plain"})), 0) << Stderr();
  WriteBytes(Path("plan.json"), kPlan);
  WriteIdxDataset(dir_, TinySplit(400, 9), TinySplit(40, 2), 8);
  EXPECT_EQ(Run(Compare("out")), 1);
  EXPECT_THAT(Stderr(), HasSubstr("was trained on other data"));
}

TEST_F(MreTrainCompareTest, AStateOfAnotherRecipeIsRefused) {
  ASSERT_EQ(Run(Fit("model")), 0) << Stderr();
  std::filesystem::create_directories(Path("out/runs/plain/0"));
  std::filesystem::copy(Path("model.state"),
                        Path("out/runs/plain/0/model.safetensors.state"));
  EXPECT_EQ(Run(With(Compare("out"), {"--only=plain"})), 1);
  EXPECT_THAT(Stderr(), HasSubstr("model.safetensors.state: it was saved with "
                                  "another recipe"));
}

TEST_F(MreTrainCompareTest, ATrainingThatDivergesLeavesTheOthersAlone) {
  std::string plan = kPlan;
  // Each step multiplies the weights by -9,999.
  plan.replace(plan.find("\"kind\": \"mre\""), 13,
               "\"kind\": \"mre\", \"lr\": 100, \"weight_decay\": 100");
  WriteBytes(Path("plan.json"), plan);
  EXPECT_EQ(Run(Compare("out")), 1);
  EXPECT_THAT(Stderr(), HasSubstr("2 of 4 trainings failed"));
  EXPECT_THAT(Stdout(), HasSubstr("2 of 4 trainings done"));
  EXPECT_THAT(
      *ReadFile(Path("out/report.md")),
      AllOf(HasSubstr("seeds done in brackets: ray (0 of 2)."),
            HasSubstr("Failed: ray, seed 0: the "),
            HasSubstr("Failed: ray, seed 1: the "),
            HasSubstr("training diverged"), HasSubstr("| plain | 2 |")));
}

TEST_F(MreTrainCompareTest, FindsOutBeforeTheFirstTrainingThatDataAreMissing) {
  std::string plan = kPlan;
  plan.replace(plan.find("\"kind\": \"mlp\""), 13,
               "\"kind\": \"mlp\", \"dataset\": \"usps\"");
  plan.replace(plan.find("\"pairs\""),
               plan.find("\"evaluation\"") - plan.find("\"pairs\""), "");
  WriteBytes(Path("plan.json"), plan);
  EXPECT_EQ(Run(Compare("out")), 2);
  EXPECT_THAT(Stderr(), AllOf(HasSubstr("--data_dir=usps=DIR: expected"),
                              Not(HasSubstr("training 1"))));
  EXPECT_EQ(Run(With(Compare("out"), {"--data_dir=usps=" + dir_})), 1);
  EXPECT_THAT(Stderr(), AllOf(HasSubstr("--data_dir=usps=DIR says where"),
                              Not(HasSubstr("training 1"))));
  EXPECT_EQ(Run(With(Compare("out"), {"--data_dir=ups=" + dir_})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("data set of the plan (mnist, usps), got "
                                  "\"ups\""));
}

TEST_F(MreTrainCompareTest, MissingDataAreNoMissingCheckpoint) {
  ASSERT_EQ(Run(Compare("out")), 0) << Stderr();
  const std::string report = *ReadFile(Path("out/report.md"));
  std::vector<std::string> moved = Compare("out");
  moved.back() = "--data_dir=mnist=" + Path("nowhere");
  EXPECT_EQ(Run(moved), 1);
  EXPECT_THAT(Stderr(), AllOf(HasSubstr("--data_dir=mnist=DIR says where"),
                              Not(HasSubstr("no checkpoint"))));
  EXPECT_EQ(*ReadFile(Path("out/report.md")), report);
  // The reference's only: the report does without one table.
  for (const std::string seed : {"0", "1"}) {
    std::filesystem::remove(
        Path("out/runs/plain/" + seed + "/model.safetensors"));
  }
  EXPECT_EQ(Run(Compare("out")), 0) << Stderr();
  EXPECT_THAT(Stderr(), HasSubstr("has no checkpoint any more"));
}

TEST_F(MreTrainCompareTest, WithoutGnuplotTheReportHasNoPlots) {
  // A path without gnuplot, then with one that fails; the binary itself is
  // named in full.
  const auto run = [&] {
    const std::string path = getenv("PATH");
    setenv("PATH", dir_.c_str(), 1);
    const pid_t started = Start(With(Compare("out"), {"--only=plain"}));
    setenv("PATH", path.c_str(), 1);
    return Wait(started);
  };
  WriteBytes(Path("gnuplot"), "#!/bin/false\n");
  std::filesystem::permissions(Path("gnuplot"),
                               std::filesystem::perms::owner_all);
  ASSERT_EQ(run(), 0) << Stderr();
  EXPECT_THAT(Stderr(), HasSubstr("gnuplot failed on"));
  EXPECT_THAT(*ReadFile(Path("out/report.md")), Not(HasSubstr("## Plots")));
  std::filesystem::remove(Path("gnuplot"));
  ASSERT_EQ(run(), 0) << Stderr();
  EXPECT_THAT(Stderr(), HasSubstr("for there is no gnuplot"));
  EXPECT_THAT(*ReadFile(Path("out/report.md")), Not(HasSubstr("## Plots")));
  EXPECT_TRUE(Exists("out/plots/accuracy-step-mnist.gp"));
}

TEST_F(MreTrainCompareTest, DrawsEveryPlotOfTheReport) {
  if (std::system("gnuplot --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "no gnuplot on this machine";
  }
  ASSERT_EQ(Run(Compare("out")), 0) << Stderr();
  const std::string report = *ReadFile(Path("out/report.md"));
  for (const std::string name :
       {"accuracy-step-mnist", "accuracy-macs-mnist", "accuracy-epoch-mnist",
        "steps-difficulty-mnist", "use-ray"}) {
    const std::string plot = "plots/" + name + ".svg";
    EXPECT_THAT(report, HasSubstr("](" + plot + ")"));
    ASSERT_TRUE(Exists("out/" + plot));
    EXPECT_THAT(*ReadFile(Path("out/" + plot)), HasSubstr("</svg>"));
  }
}

TEST_F(MreTrainCompareTest, WrongUsageExitsWithTwo) {
  EXPECT_EQ(Run({"compare"}), 2);
  EXPECT_EQ(Run({"compare", Path("plan.json")}), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--out"));
  EXPECT_EQ(Run({"compare", Path("plan.json"), "--out=" + Path("out"),
                 "--threads=-3"}),
            2);
  EXPECT_THAT(Stderr(), HasSubstr("--threads: expected a number"));
  EXPECT_EQ(Run(With(Compare("out"), {"--data_dir=mnist"})), 2);
  EXPECT_THAT(Stderr(), HasSubstr("--data_dir: expected DATASET=DIR"));
  WriteBytes(Path("plan.json"), "{\"runs\": 1}");
  EXPECT_EQ(Run(Compare("out")), 2);
  EXPECT_THAT(Stderr(), HasSubstr("plan.json: "));
}

}  // namespace
}  // namespace mre
