#include "model/train/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/model/train/default_options.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

TEST(RecipeTest, ARaytracingHasItsOwnFields) {
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
}

TEST(RecipeTest, RecipesHoldWhatTheirKindHas) {
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
TEST(RecipeTest, RecipesHoldTextsFieldsForTextOnly) {
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

TEST(RecipeTest, AMemberThatIsYoungerThanTheRecipeHasItsDefault) {
  const auto parsed = ParseRecipe(R"({"dataset":"mnist","lr":0.5})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->dataset, "mnist");
  EXPECT_EQ(parsed->lr, 0.5);
  EXPECT_EQ(parsed->kind, "mre");
}

// The default has changed since; what it was is what recipes leave out.
TEST(RecipeTest, ARecipeThatDoesNotSayHowItsRouterLearntIsStraightThrough) {
  const auto parsed = ParseRecipe(R"({"dataset":"mnist"})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(RouterTrainingOf(*parsed), RouterTraining::kStraightThrough);
  EXPECT_THAT(FormatRecipe(*parsed), Not(HasSubstr("router_training")));
  EXPECT_EQ(RouterTrainingOf(Defaults()), RouterTraining::kPairs);
  EXPECT_THAT(FormatRecipe(Defaults()),
              HasSubstr("\"router_training\":\"pairs\""));
}

TEST(RecipeTest, RecipeSurvivesFormatAndParse) {
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

TEST(RecipeTest, RecipeHoldsNoPaths) {
  FitOptions options;
  options.out = "/tmp/secret";
  options.data_dir = "/tmp/secret";
  options.log = "/tmp/secret";
  EXPECT_THAT(FormatRecipe(options), Not(HasSubstr("secret")));
}

TEST(RecipeTest, NamesTheMemberThatIsMissingOrWrong) {
  const auto error = [](const char* text) {
    return std::string(ParseRecipe(text).status().message());
  };
  EXPECT_THAT(error(R"({"kind":"mre"})"), HasSubstr("\"dataset\" is missing"));
  EXPECT_THAT(error(R"({"dataset":"mnist","epochs":1.5})"),
              HasSubstr("recipe: \"epochs\": expected a whole number"));
  EXPECT_THAT(error(R"({"dataset":"mnist","stem":null})"),
              HasSubstr("recipe: \"stem\": expected a text, got null"));
}

TEST(RecipeTest, DamagedRecipesAreRefused) {
  for (const char* text : {"", "[]", "{}", "{\"dataset\":1}"}) {
    EXPECT_FALSE(ParseRecipe(text).ok()) << text;
  }
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

// A terminal may send any bytes.
TEST(CheckSameRecipeTest, AFlagNeedNotBeText) {
  FitOptions given;
  given.kind = "\xff";
  EXPECT_THAT(
      std::string(CheckSameRecipe(Defaults(), given, {"kind"}).message()),
      HasSubstr("cannot go on with"));
  EXPECT_THAT(FormatRecipe(given), HasSubstr("\"kind\":"));
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

}  // namespace
}  // namespace mre
