#include "model/compare/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/math/kernels.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

constexpr char kRuns[] =
    R"("runs": [{"name": "mre", "recipe": {"lr": 0.01}},
                {"name": "topk", "recipe": {"kind": "topk", "top_k": 2}}])";

// A plan with these members more.
std::string PlanWith(absl::string_view members,
                     absl::string_view runs = kRuns) {
  return absl::StrCat(R"({"name": "p", "seeds": [3, 1],
      "defaults": {"dataset": "mnist", "lr": 0.5, "layers": 2}, )",
                      runs, members.empty() ? "" : ", ", members, "}");
}

std::string Error(const std::string& json) {
  const auto plan = ParsePlan(json);
  EXPECT_FALSE(plan.ok()) << json;
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(plan.status().message());
}

TEST(PlanTest, RecipesTakeWhatTheyLeaveOutFromDefaults) {
  const auto plan = ParsePlan(PlanWith(
      R"("title": "T", "targets": [0.5], "evaluation": {"reference": "topk"},
         "pairs": [{"baseline": "topk", "against": ["mre"]}])"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->title, "T");
  EXPECT_EQ(plan->seeds, (std::vector<uint64_t>{3, 1}));
  ASSERT_EQ(plan->runs.size(), 2);
  const FitOptions& mre = plan->runs[0].options;
  EXPECT_EQ(mre.dataset, "mnist");
  EXPECT_EQ(mre.lr, 0.01);
  EXPECT_EQ(mre.layers, 2);
  EXPECT_EQ(mre.max_steps, 16);  // filled in
  EXPECT_EQ(mre.epochs, FitOptions().epochs);
  EXPECT_EQ(mre.router_training, FitOptions().router_training);
  const FitOptions& topk = plan->runs[1].options;
  EXPECT_EQ(topk.lr, 0.5);
  EXPECT_EQ(topk.top_k, 2);
  EXPECT_EQ(plan->targets, std::vector<double>{0.5});
  EXPECT_EQ(plan->pairs[0].baseline, "topk");
  EXPECT_EQ(plan->reference, "topk");
  EXPECT_EQ(plan->Find("mre"), &plan->runs[0]);
  EXPECT_EQ(plan->Find("none"), nullptr);
}

TEST(PlanTest, ThePlansInTheTreeAreGood) {
  int plans = 0;
  for (const auto& file : std::filesystem::directory_iterator(MRE_PLANS)) {
    const auto plan = ParsePlan(*ReadFile(file.path()));
    ++plans;
    if (!CpuHasBf16() &&
        absl::StrContains(plan.status().message(), "no bf16 products")) {
      continue;
    }
    EXPECT_TRUE(plan.ok()) << file.path() << ": " << plan.status();
  }
  EXPECT_GT(plans, 0);
}

TEST(PlanTest, NamesTheMemberThatIsUnknown) {
  EXPECT_THAT(Error(PlanWith(R"("sedes": [1])")),
              HasSubstr("plan: \"sedes\" is not known here"));
  EXPECT_THAT(Error(PlanWith("", R"("runs": [{"name": "a", "kind": "mre"}])")),
              HasSubstr("runs[0]: \"kind\" is not known here"));
  EXPECT_THAT(
      Error(PlanWith("", R"("runs": [{"name": "a", "recipe": {"lrr": 1}}])")),
      HasSubstr("runs[0] \"a\": \"recipe\": \"lrr\" is no field of a recipe"));
  EXPECT_THAT(Error(R"({"name": "p", "seeds": [1], "defaults": {"hiden": 3},
                "runs": []})"),
              HasSubstr("plan: \"defaults\": \"hiden\" is no field"));
  EXPECT_THAT(Error(PlanWith(R"("evaluation": {"noise": 1})")),
              HasSubstr("\"noise\" is not known here"));
}

TEST(PlanTest, NamesTheMemberThatIsMissingOrWrong) {
  EXPECT_THAT(Error("{"), HasSubstr("expected JSON"));
  EXPECT_THAT(Error("[1]"), HasSubstr("expected an object"));
  EXPECT_THAT(Error(R"({"seeds": [1], "runs": []})"),
              HasSubstr("\"name\" is missing"));
  EXPECT_THAT(Error(PlanWith(R"("targets": "high")")),
              HasSubstr("\"targets\": expected a list, got string"));
  EXPECT_THAT(Error(PlanWith(R"("targets": [80])")),
              HasSubstr("\"targets\": expected numbers in [0, 1]"));
  EXPECT_THAT(Error(PlanWith("", R"("runs": [])")),
              HasSubstr("\"runs\": expected at least one"));
  EXPECT_THAT(
      Error(PlanWith("", R"("runs": [{"name": "a", "recipe": {"lr": "x"}}])")),
      HasSubstr("runs[0] \"a\": recipe: \"lr\": expected a number, got "
                "string"));
  EXPECT_THAT(
      Error(PlanWith("", R"("runs": [{"name": "a", "recipe": {"lr": -1}}])")),
      HasSubstr("runs[0] \"a\": --lr: expected a number"));
  EXPECT_THAT(Error(R"({"name": "p", "seeds": [1], "runs": [{"name": "a"}]})"),
              HasSubstr("\"dataset\" is missing"));
}

// A recipe is copied and written again, which recurses.
TEST(PlanTest, RefusesDeeplyNestedPlans) {
  const std::string deep =
      std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_THAT(
      Error(PlanWith(
          "", absl::StrCat(R"("runs": [{"name": "a", "recipe": {"lr": )", deep,
                           "}}]"))),
      HasSubstr("plan: expected JSON that nests at most"));
}

TEST(PlanTest, RefusesNamesThatAreNoFiles) {
  for (const char* name : {"", "a/b", "..", ".a", "a b"}) {
    const std::string run =
        absl::StrCat(R"("runs": [{"name": ")", name, R"("}])");
    EXPECT_THAT(Error(PlanWith("", run)), HasSubstr("expected a name")) << name;
  }
}

TEST(PlanTest, RefusesWhatIsThereTwice) {
  EXPECT_THAT(Error(PlanWith("", R"("runs": [{"name": "a"}, {"name": "a"}])")),
              HasSubstr("runs[1]: there are two runs \"a\""));
  EXPECT_THAT(Error(R"({"name": "p", "seeds": [1, 1],
                        "runs": [{"name": "a", "recipe":
                                 {"dataset": "mnist"}}]})"),
              HasSubstr("a seed is there twice"));
}

TEST(PlanTest, SeedsAreThePlansAndNotARecipes) {
  EXPECT_THAT(
      Error(PlanWith("", R"("runs": [{"name": "a", "recipe": {"seed": 1}}])")),
      HasSubstr("seeds are the plan's"));
  EXPECT_THAT(Error(R"({"name": "p", "seeds": [-1], "runs": [{"name": "a",
                        "recipe": {"dataset": "mnist"}}]})"),
              HasSubstr("whole number of at least 0"));
}

TEST(PlanTest, RefersToRunsThatExistOnly) {
  EXPECT_THAT(Error(PlanWith(R"("pairs": [{"baseline": "b", "against": []}])")),
              HasSubstr("pairs[0]: \"baseline\": there is no run \"b\""));
  EXPECT_THAT(
      Error(PlanWith(R"("pairs": [{"baseline": "mre", "against": ["c"]}])")),
      HasSubstr("there is no run \"c\""));
  EXPECT_THAT(Error(PlanWith(R"("evaluation": {"reference": "d"})")),
              HasSubstr("there is no run \"d\""));
  const char runs[] = R"("runs": [{"name": "a"},
      {"name": "b", "recipe": {"dataset": "usps"}}])";
  EXPECT_THAT(Error(PlanWith(
                  R"("pairs": [{"baseline": "a", "against": ["b"]}])", runs)),
              HasSubstr("have different data sets"));
}

}  // namespace
}  // namespace mre
