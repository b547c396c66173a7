#include "model/eval/eval_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mre {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Of 8 inputs, 2 steps and 4 experts.
EvalReport HandMade() {
  EvalReport report;
  Evaluation& evaluation = report.evaluation;
  evaluation.inputs = 8;
  evaluation.steps = {{0.125, 2, 100, 10, 0, 0.25},
                      {0.5, 1, 150, 15, 0.5, 0.5},
                      {0.75, 0.5, 200, 20, 1, 0.75}};
  evaluation.use = {0, 0.5, 0.5, 1};
  evaluation.load = LoadOf(evaluation.use);
  evaluation.early_use = {0.125, 0.25, 0.25, 0.375};
  evaluation.early_load = LoadOf(evaluation.early_use);
  evaluation.paths.length = 1;
  evaluation.curve = {{0.5, {1.25, 162.5, 0.625, 0.75}}};
  return report;
}

TEST(EvalReportTest, LoadIsThatOfTheLastAndOfAnEarlyStep) {
  const std::string text = FormatTable(HandMade());
  EXPECT_THAT(text, HasSubstr("\nby step 2 an expert is run by 0.0 % to 100.0 "
                              "% of them (largest over mean 2.00), 1 of 4 by "
                              "none\n"));
  EXPECT_THAT(text, HasSubstr("\nby step 1 an expert is run by 12.5 % to 37.5 "
                              "% of them (largest over mean 1.50), 0 of 4 by "
                              "none\n"));
}

TEST(EvalReportTest, CurveHasALineAConfidence) {
  EXPECT_THAT(FormatTable(HandMade()),
              HasSubstr("stopping at a confidence of\n"
                        "      steps      MACs  accuracy\n"
                        "0.50   1.25       162    0.6250\n"));
}

TEST(EvalReportTest, NoiseIsComparedWithNone) {
  EvalReport report = HandMade();
  report.noise = NoiseReport{0.5, {0.125, 0.25, 0.875}, {2, 1.5, 0.25}};
  EXPECT_THAT(FormatTable(report),
              HasSubstr("noise of 0.5 deviations on the router's logits\n"
                        "step  accuracy  change    loss  change\n"
                        "   0    0.1250 +0.0000  2.0000 +0.0000\n"
                        "   1    0.2500 -0.2500  1.5000 +0.5000\n"
                        "   2    0.8750 +0.1250  0.2500 -0.2500\n"));
}

TEST(EvalReportTest, StopTellsItsRuleAndOfUseAgainstDifficulty) {
  EvalReport report = HandMade();
  StopReport& stop = report.stop.emplace();
  stop.budget.min_confidence = 0.75f;
  stop.budget.stable_steps = 3;
  stop.quality = {1.5, 175, 0.625, 0.75};
  std::string text = FormatTable(report);
  EXPECT_THAT(text, HasSubstr("\nwith --min_confidence=0.75 --stable_steps=3: "
                              "1.50 steps, 175 MACs, accuracy 0.6250, loss "
                              "0.7500 (means)\n"));
  EXPECT_THAT(text, Not(HasSubstr("rank correlation")));
  stop.steps_by_decile = {1, 2.25};
  EXPECT_THAT(FormatTable(report),
              HasSubstr("rank correlation none (all inputs use the same "
                        "number)\n"));
  stop.rank_correlation = 0.5;
  EXPECT_THAT(FormatTable(report),
              HasSubstr("\nsteps used and the reference's loss: rank "
                        "correlation 0.5000\nsteps by tenths of the inputs, "
                        "from the reference's smallest loss: 1.00 2.25\n"));
}

}  // namespace
}  // namespace mre
