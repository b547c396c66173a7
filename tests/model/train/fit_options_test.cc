#include "model/train/fit_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace mre {
namespace {

using ::testing::HasSubstr;

TEST(FitOptionsTest, DefaultsAreValid) {
  EXPECT_TRUE(Validate(FitOptions()).ok()) << Validate(FitOptions());
}

TEST(FitOptionsTest, RecipeSurvivesFormatAndParse) {
  FitOptions options;
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
  FitOptions options;
  options.max_steps = 33;
  ExpectRefused(options, "--max_steps: expected a number in [1, 32], got 33");
  options = {};
  options.layers = 0;
  ExpectRefused(options, "--layers");
  options = {};
  options.lr = std::nan("");
  ExpectRefused(options, "--lr");
  options = {};
  options.stem = "gelu";
  ExpectRefused(options, "--stem");
  options = {};
  options.schedule = "linear";
  ExpectRefused(options, "--schedule");
  options = {};
  options.augment = "rotate";
  ExpectRefused(options, "--augment");
  options = {};
  options.exit_weights = "0.2";
  ExpectRefused(options, "--exit_weights");
}

TEST(CheckSameRecipeTest, NamesTheFlagThatDiffers) {
  FitOptions saved;
  saved.lr = 0.5;
  FitOptions given;
  EXPECT_TRUE(CheckSameRecipe(saved, given, {}).ok());
  EXPECT_TRUE(CheckSameRecipe(saved, given, {"seed", "threads"}).ok());
  EXPECT_THAT(
      std::string(CheckSameRecipe(saved, given, {"seed", "lr"}).message()),
      HasSubstr("--lr: the state was made with 0.5"));
}

TEST(ParseExitWeightsTest, AreAPowerOfTheStepAndSumToOne) {
  const auto weights = ParseExitWeights("0.2:0.5", 4);
  ASSERT_TRUE(weights.ok());
  ASSERT_EQ(weights->size(), 5);
  EXPECT_NEAR((*weights)[4] / (*weights)[1], 0.5, 1e-6);
  EXPECT_NEAR((*weights)[0] / (*weights)[1], 0.2, 1e-6);
  EXPECT_NEAR(std::accumulate(weights->begin(), weights->end(), 0.0), 1, 1e-6);
}

}  // namespace
}  // namespace mre
