#include "model/train/fit_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/model/train/default_options.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

TEST(FitOptionsTest, DefaultsAreValidForEveryKind) {
  for (const char* kind :
       {"mre", "topk", "pathmoe", "adak", "mlp", "cnn", "raytracing"}) {
    const FitOptions options = Defaults(kind);
    EXPECT_TRUE(Validate(options).ok()) << kind << Validate(options);
  }
}

// The training record of the checkpoint that ships must not change.
TEST(FitOptionsTest, AnMreUnrollsAllItsExperts) {
  EXPECT_EQ(Defaults().experts, 8);
  EXPECT_EQ(Defaults().max_steps, 32);
  EXPECT_EQ(Defaults("topk").max_steps, 4);
  EXPECT_EQ(Defaults("mlp").experts, 1);
}

TEST(FitOptionsTest, KindsHaveDefaultsOfTheirOwn) {
  EXPECT_EQ(Defaults("topk").top_k, 1);
  EXPECT_EQ(Defaults("adak").top_k, 4);
  EXPECT_EQ(Defaults("mlp").expert, "mlp");
  EXPECT_EQ(Defaults("cnn").expert, "conv");
  EXPECT_EQ(Defaults("cnn").experts, 1);
}

TEST(FitOptionsTest, ARaytracingHasBlocksAndThresholds) {
  EXPECT_EQ(Defaults("raytracing").experts, 16);
  EXPECT_EQ(Defaults("raytracing").max_steps, 32);
  FitOptions options = Defaults("raytracing");
  options.block_input = "normalised";
  options.gain = 3;
  options.seed = UINT64_MAX;
  const ModelConfig config =
      MakeConfig(options, {{4, 4, 1}, 1, {0}, {1}}, {"a", "b"});
  EXPECT_TRUE(Validate(config).ok()) << Validate(config);
  EXPECT_TRUE(config.raytracing.normalised);
  EXPECT_EQ(config.raytracing.gain, 3);
  EXPECT_EQ(config.raytracing.max_steps, 32);
}

void ExpectRefused(const FitOptions& options, const char* flag) {
  const absl::Status status = Validate(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(flag));
}

TEST(FitOptionsTest, ErrorsNameTheFlag) {
  FitOptions options = Defaults("mlp");
  options.experts = 2;
  ExpectRefused(options, "--experts");
  options = Defaults("topk");
  options.top_k = 9;
  ExpectRefused(options, "--top_k");
  options = Defaults("topk");
  options.sharing = 2;
  ExpectRefused(options, "--sharing");
  options = Defaults();
  options.sharing = 5;
  ExpectRefused(options, "--sharing: expected a number in [1, 4], got 5");
  options = Defaults("adak");
  options.expert_cost = -1;
  ExpectRefused(options, "--expert_cost");
  options.expert_cost = 0;
  options.top_k = 9;
  ExpectRefused(options, "--top_k");
  options = Defaults("cnn");
  options.expert = "mlp";
  ExpectRefused(options, "--expert: expected conv in a cnn, got \"mlp\"");
  options = Defaults("dense");
  ExpectRefused(options, "--kind: expected one of mre, topk");
  options = Defaults("raytracing");
  options.expert = "conv";
  ExpectRefused(options, "--expert");
  options = Defaults("raytracing");
  options.sparsity = 0;
  ExpectRefused(options, "--sparsity: expected a number above 0 and at most 1");
  options = Defaults("raytracing");
  options.theta_out = 6;
  ExpectRefused(options, "--theta_out: expected a number above 0 and below 6");
  options = Defaults("raytracing");
  options.decay = std::nan("");
  ExpectRefused(options, "--decay");
  options = Defaults("raytracing");
  options.block_input = "cooked";
  ExpectRefused(options, "--block_input");
  options = Defaults("raytracing");
  options.arrival = -1;
  ExpectRefused(options, "--arrival");
  options = Defaults();
  options.max_steps = 33;
  ExpectRefused(options, "--max_steps: expected a number in [1, 32], got 33");
  options = Defaults();
  options.layers = 0;
  ExpectRefused(options, "--layers");
  options = Defaults();
  options.lr = std::nan("");
  ExpectRefused(options, "--lr");
  options = Defaults();
  options.stem = "gelu";
  ExpectRefused(options, "--stem");
  options = Defaults();
  options.schedule = "linear";
  ExpectRefused(options, "--schedule");
  options = Defaults();
  options.augment = "rotate";
  ExpectRefused(options, "--augment");
  options = Defaults();
  options.exit_weights = "0.2";
  ExpectRefused(options, "--exit_weights");
  options = Defaults();
  options.max_updates = -1;
  ExpectRefused(options, "--max_updates");
}

TEST(FitOptionsTest, TextHasNoImages) {
  FitOptions text;
  text.dataset = "text";
  FillDefaults(text);
  FitOptions options = text;
  options.augment = "flip";
  ExpectRefused(options, "--augment: expected none for text");
  options = text;
  options.expert = "conv";
  ExpectRefused(options, "--expert: expected mlp for text");
  options = text;
  options.window = 0;
  ExpectRefused(options, "--window");
  options = text;
  options.embedding = 0;
  ExpectRefused(options, "--embedding");
}

TEST(ParseExitWeightsTest, AreAPowerOfTheStepAndSumToOne) {
  const auto weights = ParseExitWeights("0.2:0.5", 4);
  ASSERT_TRUE(weights.ok());
  ASSERT_EQ(weights->size(), 5);
  EXPECT_NEAR((*weights)[4] / (*weights)[1], 0.5, 1e-6);
  EXPECT_NEAR((*weights)[0] / (*weights)[1], 0.2, 1e-6);
  EXPECT_NEAR(std::accumulate(weights->begin(), weights->end(), 0.0), 1, 1e-6);
}

TEST(ParseExitWeightsTest, LastIsTheLastStepAlone) {
  EXPECT_EQ(*ParseExitWeights("last", 3), (std::vector<float>{0, 0, 0, 1}));
}

TEST(ParseStemLayersTest, FieldsStandInTheirOrder) {
  const auto layers = ParseStemLayers("32:3:1:1,64:5:2:0");
  ASSERT_TRUE(layers.ok()) << layers.status();
  ASSERT_EQ(layers->size(), 2);
  EXPECT_EQ((*layers)[0].channels, 32);
  EXPECT_EQ((*layers)[0].patch.size, 3);
  EXPECT_EQ((*layers)[0].patch.stride, 1);
  EXPECT_EQ((*layers)[0].patch.padding, 1);
  EXPECT_EQ((*layers)[1].channels, 64);
  EXPECT_EQ((*layers)[1].patch.size, 5);
  EXPECT_EQ((*layers)[1].patch.stride, 2);
  EXPECT_EQ((*layers)[1].patch.padding, 0);
  EXPECT_TRUE(ParseStemLayers("")->empty());
  FitOptions options = Defaults("cnn");
  options.stem_layers = "32:3:1:1,64:5:2:0";
  ASSERT_TRUE(Validate(options).ok()) << Validate(options);
  const ModelConfig config = MakeConfig(options, {}, {"a"});
  ASSERT_EQ(config.front.size(), 2);
  EXPECT_EQ(config.front[1].channels, 64);
}

TEST(FitOptionsTest, AnMreEndsWhereItsTrainingDid) {
  FitOptions options = Defaults();
  EXPECT_EQ(MakeConfig(options, {}, {"a"}).max_steps, 0);
  options.max_steps = 8;
  EXPECT_EQ(MakeConfig(options, {}, {"a"}).expert_steps(), 8);
}

TEST(ParseStemLayersTest, RefusesWhatIsNoConvolution) {
  for (const char* text :
       {"32", "32:3:1", "32:3:1:1:1", "a:3:1:1", "32:3:1:x", "0:3:1:1",
        "32:0:1:0", "32:3:0:1", "32:3:1:-1", "32:3:1:3", "32:3:1:1;64:3:2:1",
        "99999999:3:1:1", "32:3:1:99999999999999999999"}) {
    const auto layers = ParseStemLayers(text);
    EXPECT_FALSE(layers.ok()) << text;
    EXPECT_THAT(std::string(layers.status().message()),
                HasSubstr("--stem_layers: expected CHANNELS:SIZE"));
  }
}

TEST(FitOptionsTest, OnlyConvolutionsHaveAPrecision) {
  FitOptions options = Defaults();
  options.precision = "f16";
  ExpectRefused(options, "--precision");
  options.precision = "bf16";
  ExpectRefused(options, "--precision");
  options.expert = "conv";
  if (CpuHasBf16()) {
    EXPECT_TRUE(Validate(options).ok()) << Validate(options);
    EXPECT_EQ(PrecisionOf(options), Precision::kBf16);
  } else {
    ExpectRefused(options, "--precision");
  }
}

}  // namespace
}  // namespace mre
