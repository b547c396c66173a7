#include "model/train/fit_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

FitOptions Defaults(const char* kind = "mre") {
  FitOptions options;
  options.kind = kind;
  FillDefaults(options);
  return options;
}

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
  const std::string recipe = FormatRecipe(Defaults("raytracing"));
  for (const char* field : {"modules", "sparsity", "block_input", "gain",
                            "theta_out", "decay", "arrival"}) {
    const std::string key = absl::StrCat("\"", field, "\":");
    EXPECT_THAT(recipe, HasSubstr(key));
    EXPECT_THAT(FormatRecipe(Defaults()), Not(HasSubstr(key)));
  }
  for (const char* field : {"exit_weights", "noise", "context", "balance"}) {
    EXPECT_THAT(recipe, Not(HasSubstr(field)));
  }
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

TEST(FitOptionsTest, RecipesHoldWhatTheirKindHas) {
  EXPECT_THAT(FormatRecipe(Defaults()), Not(HasSubstr("top_k")));
  EXPECT_THAT(FormatRecipe(Defaults("topk")), HasSubstr("top_k"));
  EXPECT_THAT(FormatRecipe(Defaults("topk")), Not(HasSubstr("sharing")));
  EXPECT_THAT(FormatRecipe(Defaults("pathmoe")), HasSubstr("sharing"));
  EXPECT_THAT(FormatRecipe(Defaults("topk")), Not(HasSubstr("expert_cost")));
  EXPECT_THAT(FormatRecipe(Defaults("adak")), HasSubstr("expert_cost"));
  // An mre's, only where it is not what it always was.
  FitOptions mre = Defaults();
  EXPECT_THAT(FormatRecipe(mre), Not(HasSubstr("sharing")));
  mre.sharing = 2;
  EXPECT_THAT(FormatRecipe(mre), HasSubstr("\"sharing\":2"));
}

// Recipes of images do not know of text, nor those without a limit of it.
TEST(FitOptionsTest, RecipesHoldTextsFieldsForTextOnly) {
  const std::string images = FormatRecipe(Defaults());
  EXPECT_THAT(images, Not(HasSubstr("window")));
  EXPECT_THAT(images, Not(HasSubstr("embedding")));
  EXPECT_THAT(images, Not(HasSubstr("max_updates")));
  EXPECT_THAT(images, HasSubstr("\"augment\":\"shift\""));
  FitOptions options;
  options.dataset = "text";
  options.max_updates = 7;
  FillDefaults(options);
  ASSERT_TRUE(Validate(options).ok()) << Validate(options);
  const std::string text = FormatRecipe(options);
  EXPECT_THAT(text, HasSubstr("\"window\":32,\"embedding\":16"));
  EXPECT_THAT(text, HasSubstr("\"max_updates\":7"));
  EXPECT_THAT(text, HasSubstr("\"augment\":\"none\""));
  const auto parsed = ParseRecipe(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(FormatRecipe(*parsed), text);
}

TEST(FitOptionsTest, AMemberThatIsYoungerThanTheRecipeHasItsDefault) {
  const auto parsed = ParseRecipe(R"({"dataset":"mnist","lr":0.5})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->dataset, "mnist");
  EXPECT_EQ(parsed->lr, 0.5);
  EXPECT_EQ(parsed->kind, "mre");
}

TEST(FitOptionsTest, RecipeSurvivesFormatAndParse) {
  FitOptions options = Defaults();
  options.lr = 0.1 + 0.2;
  options.seed = 0xfedcba9876543210;
  options.epochs = 7;
  options.schedule = "cosine";
  const auto parsed = ParseRecipe(FormatRecipe(options));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(FormatRecipe(*parsed), FormatRecipe(options));
  EXPECT_EQ(parsed->lr, options.lr);
  EXPECT_EQ(parsed->seed, options.seed);
}

TEST(FitOptionsTest, RecipeHoldsNoPaths) {
  FitOptions options;
  options.out = "/tmp/secret";
  options.data_dir = "/tmp/secret";
  options.log = "/tmp/secret";
  EXPECT_THAT(FormatRecipe(options), Not(HasSubstr("secret")));
}

TEST(FitOptionsTest, DamagedRecipesAreRefused) {
  for (const char* text : {"", "[]", "{}", "{\"dataset\":1}"}) {
    EXPECT_FALSE(ParseRecipe(text).ok()) << text;
  }
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

TEST(CheckSameRecipeTest, NamesTheFlagThatDiffers) {
  FitOptions saved = Defaults("topk");
  saved.lr = 0.5;
  const FitOptions given;
  EXPECT_TRUE(CheckSameRecipe(saved, given, {}).ok());
  EXPECT_TRUE(CheckSameRecipe(saved, given, {"seed", "threads"}).ok());
  EXPECT_THAT(
      std::string(CheckSameRecipe(saved, given, {"seed", "lr"}).message()),
      HasSubstr("--lr: the state was made with 0.5"));
  EXPECT_TRUE(CheckSameRecipe(saved, given, {"top_k"}).ok());
  EXPECT_FALSE(CheckSameRecipe(saved, given, {"kind"}).ok());
  FitOptions shorter = given;
  shorter.max_updates = 5;
  EXPECT_THAT(
      std::string(CheckSameRecipe(saved, shorter, {"max_updates"}).message()),
      HasSubstr("made with 0 and cannot go on with 5"));
  EXPECT_FALSE(CheckSameRecipe(shorter, given, {"max_updates"}).ok());
  EXPECT_TRUE(CheckSameRecipe(shorter, given, {"seed"}).ok());
}

// A flag that the saved recipe does not write, because it was as always.
TEST(CheckSameRecipeTest, NamesAFlagThatTheSavedRecipeLeavesOut) {
  FitOptions given;
  given.sharing = 2;
  given.expert = "conv";
  EXPECT_TRUE(CheckSameRecipe(Defaults("topk"), given, {"sharing"}).ok());
  for (const char* flag : {"sharing", "expert"}) {
    EXPECT_THAT(
        std::string(CheckSameRecipe(Defaults(), given, {flag}).message()),
        HasSubstr(flag));
  }
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
