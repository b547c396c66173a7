#include "client/cli/text.h"

#include <gtest/gtest.h>

namespace mre {
namespace {

// Stem 100, two experts of 30, head 10: 190 with all.
v1::ModelInfo Model() {
  v1::ModelInfo model;
  model.set_model_name("shoes");
  model.set_model_version(3);
  model.set_state(v1::MODEL_STATE_READY);
  model.set_kind("mre");
  for (const int size : {28, 28, 1}) model.add_input_shape(size);
  model.add_classes("Sandal");
  model.add_classes("Boot");
  model.set_layers(2);
  model.set_experts_per_layer(1);
  model.set_parameters(12345);
  model.set_precision("f32");
  model.mutable_macs()->set_stem(100);
  model.mutable_macs()->add_experts(30);
  model.mutable_macs()->add_experts(30);
  model.mutable_macs()->set_head(10);
  return model;
}

v1::Prediction Final() {
  v1::Prediction prediction;
  prediction.set_step(1);
  prediction.mutable_expert()->set_layer(1);
  prediction.mutable_expert()->set_index(5);
  prediction.set_macs(152);
  prediction.mutable_elapsed()->set_nanos(1'234'567);
  auto* top = prediction.add_top();
  top->set_class_index(1);
  top->set_label("Boot");
  top->set_probability(0.75f);
  prediction.set_ray_coverage(0.5f);
  prediction.set_final(true);
  prediction.set_stop_reason(v1::STOP_REASON_CONFIDENCE);
  return prediction;
}

TEST(TextTest, ChoosesTheUnitOfTime) {
  google::protobuf::Duration duration;
  duration.set_nanos(12'340);
  EXPECT_EQ(DurationText(duration), "12.3us");
  duration.set_nanos(1'234'567);
  EXPECT_EQ(DurationText(duration), "1.23ms");
  duration.set_seconds(2);
  EXPECT_EQ(DurationText(duration), "2.00s");
}

TEST(TextTest, FullMacsCountOneHeadAStep) {
  EXPECT_EQ(FullMacs(Model()), 190u);
  EXPECT_EQ(MacsText(152, Model()), "152 MACs (80.0% of the full model)");
  EXPECT_EQ(MacsText(152, v1::ModelInfo()), "152 MACs");
}

// Blocks that cost what they like, all of which may run at each step.
TEST(TextTest, FullMacsOfARaytracingRunEveryBlockAtEveryStep) {
  v1::ModelInfo model = Model();
  model.set_kind("raytracing");
  model.set_max_steps(5);
  model.mutable_macs()->set_experts(1, 7);
  model.mutable_macs()->set_experts_per_step(2);
  EXPECT_EQ(FullMacs(model), 110u + 5 * (10 + 30 + 7));
  EXPECT_STREQ(StepsNoun(model), "steps");
}

TEST(TextTest, StepIsOneLine) {
  EXPECT_EQ(StepLine(Final(), Model()),
            "step   1  expert 1.5    152 MACs (80.0% of the full model)  "
            "coverage 0.500  1.23ms  Boot 0.750  final: min_confidence "
            "reached");
  v1::Prediction first;
  EXPECT_EQ(StepLine(first, v1::ModelInfo()),
            "step   0  expert -      0 MACs  coverage 0.000  0us");
}

TEST(TextTest, SummaryComparesWithTheLabel) {
  Sample sample;
  sample.name = "image 4";
  const std::string answer = "image 4: Boot 0.750";
  const std::string cost =
      "  1/2 experts, 80.0% of MACs, 1.23ms: min_confidence reached";
  EXPECT_EQ(SummaryLine(sample, Final(), Model()), answer + cost);
  sample.truth = 1;
  EXPECT_EQ(SummaryLine(sample, Final(), Model()), answer + " [right]" + cost);
  sample.truth = 0;
  EXPECT_EQ(SummaryLine(sample, Final(), Model()),
            answer + " [wrong: Sandal]" + cost);
  sample.truth = 9;
  EXPECT_EQ(SummaryLine(sample, Final(), Model()),
            answer + " [wrong: class 9]" + cost);
}

TEST(TextTest, SummaryGivesPlainMacsWhenTheModelsCostsAreUnknown) {
  Sample sample;
  sample.name = "image 4";
  EXPECT_EQ(SummaryLine(sample, Final(), v1::ModelInfo()),
            "image 4: Boot 0.750  1/0 experts, 152 MACs, 1.23ms: "
            "min_confidence reached");
}

TEST(TextTest, TotalsAverageOverSamples) {
  Totals totals;
  Sample sample;
  sample.truth = 1;
  totals.Add(sample, Final());
  sample.truth = 0;
  v1::Prediction other = Final();
  other.set_step(0);
  other.set_macs(114);
  totals.Add(sample, other);
  EXPECT_EQ(TotalsLine(totals, Model()),
            "2 images: 1 of 2 right, 0.5 experts and 70.0% of the full "
            "model's MACs on average");
}

TEST(TextTest, ListsTheClassesThatWereSent) {
  v1::Prediction prediction = Final();
  EXPECT_EQ(ClassLines(prediction, Model()), "  0.750  Boot\n");
  prediction.add_probabilities(0.25f);
  prediction.add_probabilities(0.75f);
  EXPECT_EQ(ClassLines(prediction, Model()),
            "  0.250  Sandal\n  0.750  Boot\n");
}

TEST(TextTest, JsonKeepsFieldNamesAndZeros) {
  v1::PredictUpdate update;
  update.set_request_id("a");
  update.add_predictions();
  const std::string json = ToJson(update);
  EXPECT_NE(json.find("\"request_id\":\"a\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"step\":0"), std::string::npos) << json;
  EXPECT_EQ(json.find('\n'), std::string::npos) << json;
}

TEST(TextTest, DescribesModels) {
  EXPECT_EQ(ModelText(Model()),
            "shoes  version 3  READY\n"
            "  kind mre, input 28x28x1, 2 classes, 12,345 parameters, f32\n"
            "  2 layers of 1 experts; 110 MACs at step 0, 190 after all 2\n");
  v1::ModelInfo failed;
  failed.set_model_name("boots");
  failed.set_model_version(1);
  failed.set_state(v1::MODEL_STATE_FAILED);
  failed.set_error("stem.weight is missing");
  EXPECT_EQ(ModelText(failed),
            "boots  version 1  FAILED: stem.weight is missing\n");
}

TEST(TextTest, EveryStopReasonHasWords) {
  for (int i = v1::StopReason_MIN + 1; i <= v1::StopReason_MAX; ++i) {
    EXPECT_NE(StopText(static_cast<v1::StopReason>(i)).rfind("reason ", 0), 0u)
        << i;
  }
}

}  // namespace
}  // namespace mre
