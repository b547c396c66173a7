#include "model/compare/run_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/model/compare/hand_made_results.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

TEST(RunResultTest, SurvivesTheFileBitForBit) {
  const RunResult result = HandMadeResult("mre", 7, {0.3, 1.0 / 3});
  const std::string text = FormatResult(result);
  const auto again = ParseResult(text);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(FormatResult(*again), text);
  EXPECT_EQ(again->accuracy(), 1.0 / 3);
  EXPECT_EQ(again->report.evaluation.steps[2].loss, 0.1 + 0.2);
  EXPECT_EQ(again->report.evaluation.load.dead, 1);
  EXPECT_EQ(again->report.stop->budget.min_confidence, 0.9f);
}

TEST(RunResultTest, NamesWhatIsMissingOrWrong) {
  const auto good =
      nlohmann::json::parse(FormatResult(HandMadeResult("mre", 7, {0.5})));
  const auto error = [](const nlohmann::json& json) {
    const auto result = ParseResult(json.dump());
    EXPECT_FALSE(result.ok()) << json;
    return std::string(result.status().message());
  };
  for (const char* member :
       {"format", "run", "seed", "data", "parameters", "seconds",
        "evaluation_seconds", "peak_memory_bytes"}) {
    auto json = good;
    json.erase(member);
    EXPECT_THAT(error(json), HasSubstr(member));
  }
  auto json = good;
  json["evaluation"]["steps"][1].erase("macs");
  EXPECT_THAT(error(json), HasSubstr("step: \"macs\" is missing"));
  json = good;
  json["evaluation"]["steps"] = nlohmann::json::array();
  EXPECT_THAT(error(json), HasSubstr("at least two \"steps\""));
  json = good;
  json["epochs"] = nlohmann::json::array();
  EXPECT_THAT(error(json), HasSubstr("\"epochs\": expected at least one"));
  json = good;
  json["epochs"][0]["accuracy"] = nlohmann::json::array();
  EXPECT_THAT(error(json), HasSubstr("\"accuracy\""));
  json = good;
  json["format"] = 2;
  EXPECT_THAT(error(json), HasSubstr("\"format\": expected 1"));
  EXPECT_FALSE(ParseResult("").ok());
  EXPECT_FALSE(ParseResult("[]").ok());
}

// The recipe is written again, which recurses.
TEST(RunResultTest, RefusesDeeplyNestedResults) {
  std::string text = FormatResult(HandMadeResult("a", 1, {1}));
  text.replace(text.find("\"mre\""), 5,
               std::string(200'000, '[') + std::string(200'000, ']'));
  EXPECT_THAT(std::string(ParseResult(text).status().message()),
              HasSubstr("result: expected JSON that nests at most"));
}

TEST(RunResultTest, ALaterVersionMayHaveMore) {
  auto json = nlohmann::json::parse(FormatResult(HandMadeResult("a", 1, {1})));
  json["evaluation"]["steps"][0]["perplexity"] = 3;
  json["more"] = 1;
  EXPECT_TRUE(ParseResult(json.dump()).ok());
}

// Older versions wrote it.
TEST(RunResultTest, NoiseWithoutARouterIsForgotten) {
  RunResult result = HandMadeResult("a", 1, {1});
  for (const char* kind : {"mlp", "cnn", "raytracing"}) {
    result.recipe = absl::StrCat("{\"kind\":\"", kind, "\"}");
    const auto again = ParseResult(FormatResult(result));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_FALSE(again->report.noise) << kind;
  }
  result.recipe = R"({"kind":"adak"})";
  EXPECT_TRUE(ParseResult(FormatResult(result))->report.noise);
}

TEST(RunResultTest, EpochsComeFromTheLogsEpochLines) {
  const auto epochs = EpochsOfLog(
      "{\"step\":0,\"event\":\"start\"}\n"
      "{\"step\":5,\"event\":\"train\",\"loss\":9}\n"
      "{\"step\":9,\"event\":\"epoch\",\"epoch\":1,\"loss\":2,"
      "\"accuracy\":[0.5,0.75],\"least_use\":0.1,\"seconds\":3}\n");
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  ASSERT_EQ(epochs->size(), 1);
  EXPECT_EQ((*epochs)[0].loss, 2);
  EXPECT_EQ((*epochs)[0].accuracy.back(), 0.75);
  EXPECT_FALSE(EpochsOfLog("not json\n").ok());
  EXPECT_FALSE(EpochsOfLog("{\"event\":\"epoch\"}\n").ok());
}

TEST(RunResultTest, EpochsToATargetIsTheFirstThatReachesIt) {
  const RunResult result = HandMadeResult("a", 1, {0.25, 0.5, 0.75, 0.5});
  EXPECT_EQ(EpochsTo(0.5, result), 2);
  EXPECT_EQ(EpochsTo(0.6, result), 3);
  EXPECT_EQ(EpochsTo(0.8, result), 0);
  EXPECT_EQ(BestAccuracy(result), 0.75);
}

}  // namespace
}  // namespace mre
