#include "model/eval/stop_simulation.h"

#include <gtest/gtest.h>

#include <vector>

namespace mre {
namespace {

// Two inputs, three steps. The first is sure early; the second changes its
// class twice and is right only in the middle.
Outcomes TwoInputs() {
  Outcomes outcomes;
  outcomes.inputs = 2;
  outcomes.steps = 3;
  outcomes.top = {4, 4, 4, 4, 1, 2, 2, 3};
  outcomes.right = {1, 1, 1, 1, 0, 1, 1, 0};
  outcomes.confidence = {.6f, .9f, .95f, .97f, .3f, .4f, .5f, .6f};
  outcomes.coverage = {0, .2f, .5f, 1, 0, 0, .8f, 1};
  outcomes.loss = {.5, .4, .3, .2, 3, 1, 1, 2};
  // Step 0 costs 101, each further one 11.
  outcomes.macs = {101, 112, 123, 134, 101, 112, 123, 134};
  outcomes.last = {3, 3};
  return outcomes;
}

TEST(StopSimulationTest, StopsAtTheFirstStepThatIsSureEnough) {
  EXPECT_EQ(StepsUsed({.min_confidence = 0.9f}, TwoInputs()),
            (std::vector<int32_t>{1, 3}));
  EXPECT_EQ(StepsUsed({.min_confidence = 0.2f}, TwoInputs()),
            (std::vector<int32_t>{0, 0}));
}

TEST(StopSimulationTest, StopsAtCoverageStabilityAndMacs) {
  EXPECT_EQ(StepsUsed({.min_ray_coverage = 0.5f}, TwoInputs()),
            (std::vector<int32_t>{2, 2}));
  EXPECT_EQ(StepsUsed({.stable_steps = 1}, TwoInputs()),
            (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(StepsUsed({.max_macs = 122}, TwoInputs()),
            (std::vector<int32_t>{1, 1}));
}

TEST(StopSimulationTest, WithoutALimitTakesAllSteps) {
  EXPECT_EQ(StepsUsed({}, TwoInputs()), (std::vector<int32_t>{3, 3}));
}

TEST(StopSimulationTest, AnInputStopsWhereNothingIsLeft) {
  Outcomes outcomes = TwoInputs();
  outcomes.last = {1, 3};
  EXPECT_EQ(StepsUsed({}, outcomes), (std::vector<int32_t>{1, 3}));
  EXPECT_EQ(StepsUsed({.min_confidence = 0.95f}, outcomes),
            (std::vector<int32_t>{1, 3}));
}

TEST(StopSimulationTest, QualityIsTakenWhereInputsStop) {
  const StopQuality quality = QualityAtStop({1, 2}, TwoInputs());
  EXPECT_DOUBLE_EQ(quality.steps, 1.5);
  EXPECT_DOUBLE_EQ(quality.macs, 101 + 11 * 1.5);
  EXPECT_DOUBLE_EQ(quality.accuracy, 1);
  EXPECT_DOUBLE_EQ(quality.loss, 0.7);
}

TEST(StopSimulationTest, TheCurveHasAPointForEachConfidence) {
  const std::vector<double> confidences = {0.5, 0.95};
  const std::vector<CurvePoint> curve = AnytimeCurve(confidences, TwoInputs());
  ASSERT_EQ(curve.size(), 2);
  EXPECT_EQ(curve[0].min_confidence, 0.5);
  EXPECT_DOUBLE_EQ(curve[0].quality.steps, 1);  // 0 and 2
  EXPECT_DOUBLE_EQ(curve[0].quality.accuracy, 1);
  EXPECT_DOUBLE_EQ(curve[1].quality.steps, 2.5);  // 2 and 3
  EXPECT_DOUBLE_EQ(curve[1].quality.accuracy, 0.5);
}

}  // namespace
}  // namespace mre
