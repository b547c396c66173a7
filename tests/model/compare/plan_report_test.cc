#include "model/compare/plan_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "model/compare/plan_plots.h"
#include "tests/model/compare/hand_made_results.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Plan TwoRuns() {
  auto plan = ParsePlan(R"({"name": "p", "title": "Two runs",
      "defaults": {"dataset": "mnist", "layers": 2, "experts": 2},
      "runs": [{"name": "ray"}, {"name": "top", "recipe": {"kind": "topk"}}],
      "seeds": [0, 1], "targets": [0.5],
      "pairs": [{"baseline": "top", "against": ["ray"]}],
      "evaluation": {"reference": "top"}})");
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

PlanResults TwoResultsEach() {
  PlanResults results;
  results.command = "mre-train compare p.json --out=x";
  results.results = {HandMadeResult("ray", 0, {0.5, 0.75}),
                     HandMadeResult("ray", 1, {0.25, 0.25}),
                     HandMadeResult("top", 0, {0.125, 0.25}),
                     HandMadeResult("top", 1, {0.625, 0.25})};
  StopReport stop;
  stop.rank_correlation = 0.5;
  stop.steps_by_decile = {1, 2.25};
  results.difficulty["ray"] = stop;
  return results;
}

TEST(PlanReportTest, SpreadsAreOverSeeds) {
  const std::string report = FormatPlanReport(TwoRuns(), TwoResultsEach(), {});
  EXPECT_THAT(report, HasSubstr("# Two runs\n"));
  EXPECT_THAT(report, HasSubstr("mre-train compare p.json --out=x"));
  // 0.75 and 0.25: mean 0.5, deviation 0.5 / sqrt(2).
  EXPECT_THAT(report, HasSubstr("0.5000 sd 0.3536 (0.2500 to 0.7500) @2 |\n"));
  EXPECT_THAT(report, HasSubstr("| 0.2500 @2 |\n"));
  EXPECT_THAT(report, Not(HasSubstr("Not finished")));
}

// Every table that is not looked at elsewhere, to the letter.
TEST(PlanReportTest, TablesHoldWhatTheResultsSay) {
  const std::string report = FormatPlanReport(TwoRuns(), TwoResultsEach(), {});
  EXPECT_THAT(
      report,
      HasSubstr("\n### Size and time\n\n"
                "| run | parameters | seconds of training | peak memory, MB |\n"
                "| --- | --- | --- | --- |\n"
                "| ray | 1000 | 5.0 | 50 |\n"));
  EXPECT_THAT(
      report,
      HasSubstr("\n### Use of experts (share of the inputs, by as many steps "
                "as there are layers)\n\n"
                "| run | least | largest | largest over mean | used by none |\n"
                "| --- | --- | --- | --- | --- |\n"
                "| ray | 0.0000 | 0.5000 | 2.00 | 1.0 |\n"));
  EXPECT_THAT(report, HasSubstr("by the last step)\n\n"
                                "| run | least | largest | largest over mean "
                                "| used by none |\n"
                                "| --- | --- | --- | --- | --- |\n"
                                "| ray | 0.0000 | 1.0000 | 2.00 | 1.0 |\n"));
  EXPECT_THAT(
      report,
      HasSubstr("| run | distinct | entropy, bits | mutual information of "
                "neighbours, bits | the same, of what is possible |\n"
                "| --- | --- | --- | --- | --- |\n"
                "| ray | 3.0 | 1.500 | 0.2500 | 0.3333 |\n"));
  // 0.3 with noise, 0.75 and 0.25 without.
  EXPECT_THAT(report,
              HasSubstr("| run | loss | loss with noise | change of accuracy "
                        "|\n| --- | --- | --- | --- |\n"
                        "| ray | 0.3000 | 1.2500 | -0.2000 sd 0.3536 (-0.4500 "
                        "to 0.0500) |\n"));
  EXPECT_THAT(report, HasSubstr("\n### Stopping at a confidence of 0.9\n\n"
                                "| run | steps | MACs | accuracy |\n"
                                "| --- | --- | --- | --- |\n"
                                "| ray | 1.25 | 170 | 0.6000 |\n"));
  EXPECT_THAT(
      report,
      HasSubstr("| run | 0.5 | 0.6 | 0.7 | 0.8 | 0.9 | 0.95 | 0.99 |\n"
                "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
                "| ray | 0.5000, 150 | 0.5000, 150 | 0.5000, 150 | 0.5000, 150 "
                "| 0.5000, 150 | 0.5000, 150 | 0.5000, 150 |\n"));
}

// A model without a router is not robust against noise: it has felt none.
TEST(PlanReportTest, WhatWasNotDisturbedHasNoNoise) {
  PlanResults results = TwoResultsEach();
  results.results[2].report.noise.reset();
  results.results[3].report.noise.reset();
  EXPECT_THAT(FormatPlanReport(TwoRuns(), results, {}),
              HasSubstr("| top | 0.3000 | - | - |\n"));
}

TEST(PlanReportTest, TargetsCountTheSeedsThatReachThem) {
  const std::string report = FormatPlanReport(TwoRuns(), TwoResultsEach(), {});
  // 0.5: ray's seed 0 in epoch 1, top's seed 1 in epoch 1.
  EXPECT_THAT(report, HasSubstr("### Epochs to an accuracy"));
  EXPECT_THAT(report, HasSubstr("| ray | 1.0, 1 of 2 seeds |\n"));
  // top's best epochs are 0.25 and 0.625: 0.4375 on average, which ray reaches
  // with seed 0 only, in epoch 1.
  EXPECT_THAT(report, AllOf(HasSubstr("### Epochs to the best accuracy of top"),
                            HasSubstr("mean over its seeds: 0.4375"),
                            HasSubstr("| top | 1.0, 1 of 2 seeds |\n")));
}

TEST(PlanReportTest, TellsOfUseAgainstDifficulty) {
  const std::string report = FormatPlanReport(TwoRuns(), TwoResultsEach(), {});
  EXPECT_THAT(report, HasSubstr("| ray | 0 | 0.5000 | 1.00 | 2.25 |\n"));
}

TEST(PlanReportTest, NamesWhatIsNotFinished) {
  PlanResults results = TwoResultsEach();
  results.results.erase(results.results.begin() + 1);
  results.results.resize(1, results.results[0]);
  results.difficulty.clear();
  const std::string report = FormatPlanReport(TwoRuns(), results, {});
  EXPECT_THAT(report, HasSubstr("ray (1 of 2), top (0 of 2)"));
  EXPECT_THAT(report, AllOf(Not(HasSubstr("Use against difficulty")),
                            Not(HasSubstr("best accuracy of top"))));
  EXPECT_THAT(report, Not(HasSubstr("Failed")));
  results.failed = {"top, seed 0: it diverged"};
  EXPECT_THAT(
      FormatPlanReport(TwoRuns(), results, {}),
      HasSubstr("top (0 of 2).\n\nFailed: top, seed 0: it diverged.\n"));
  // One seed has no spread.
  EXPECT_THAT(report, HasSubstr("| 0.7500 @2 |\n"));
}

TEST(PlanReportTest, ShowsThePlotsThatThereAre) {
  EXPECT_THAT(FormatPlanReport(TwoRuns(), TwoResultsEach(), {}),
              Not(HasSubstr("## Plots")));
  EXPECT_THAT(FormatPlanReport(TwoRuns(), TwoResultsEach(), {"plots/a.svg"}),
              HasSubstr("![plots/a.svg](plots/a.svg)"));
}

TEST(PlanResultsTest, TheBestSeedIsTheLeastOfEquals) {
  std::vector<RunResult> results = {
      HandMadeResult("a", 4, {0.5}), HandMadeResult("a", 2, {0.5}),
      HandMadeResult("a", 1, {0.25}), HandMadeResult("b", 0, {0.75})};
  EXPECT_EQ(BestOf(results, "a")->seed, 2);
  EXPECT_EQ(BestOf(results, "c"), nullptr);
}

const Plot& Find(const std::vector<Plot>& plots, const std::string& name) {
  for (const Plot& plot : plots) {
    if (plot.name == name) return plot;
  }
  ADD_FAILURE() << "no plot " << name;
  return plots[0];
}

TEST(PlanPlotsTest, SeriesAreMeansOverSeeds) {
  const auto plots = MakePlots(TwoRuns(), TwoResultsEach());
  EXPECT_EQ(Find(plots, "accuracy-step-mnist").data,
            "# ray\n0 0.1\n1 0.2\n2 0.5\n\n\n# top\n0 0.1\n1 0.2\n2 0.25\n");
  EXPECT_EQ(
      Find(plots, "accuracy-macs-mnist").data,
      "# ray\n100 0.1\n150 0.2\n200 0.5\n\n\n# top\n100 0.1\n150 0.2\n200 "
      "0.25\n");
  EXPECT_EQ(Find(plots, "accuracy-epoch-mnist").data,
            "# ray\n1 0.375\n2 0.5\n\n\n# top\n1 0.375\n2 0.25\n");
  EXPECT_EQ(Find(plots, "steps-difficulty-mnist").data, "# ray\n1 1\n2 2.25\n");
  EXPECT_THAT(Find(plots, "accuracy-step-mnist").script,
              AllOf(HasSubstr("set output \"accuracy-step-mnist.svg\""),
                    HasSubstr("index 1 with linespoints title \"top\"")));
}

TEST(PlanPlotsTest, UseIsAMapOfLayersByExperts) {
  const auto plots = MakePlots(TwoRuns(), TwoResultsEach());
  EXPECT_EQ(Find(plots, "use-ray").data, "0 0.25\n0.25 0.5\n");
}

// A map of one row or one column is none.
TEST(PlanPlotsTest, OneLayerOrOneExpertIsNoMap) {
  for (const char* size :
       {"\"layers\": 1, \"experts\": 4", "\"layers\": 4, \"experts\": 1"}) {
    const auto plan = ParsePlan(absl::StrCat(
        R"({"name": "p", "defaults": {"dataset": "mnist", )", size,
        R"(}, "runs": [{"name": "ray"}, {"name": "top"}], "seeds": [0]})"));
    ASSERT_TRUE(plan.ok()) << plan.status();
    for (const Plot& plot : MakePlots(*plan, TwoResultsEach())) {
      EXPECT_THAT(plot.name, Not(HasSubstr("use-")));
    }
  }
}

TEST(PlanPlotsTest, NothingDoneIsNothingDrawn) {
  EXPECT_TRUE(MakePlots(TwoRuns(), {}).empty());
}

}  // namespace
}  // namespace mre
