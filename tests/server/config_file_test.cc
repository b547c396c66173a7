#include "server/config_file.h"

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string Problem(absl::string_view text) {
  return std::string(ParseConfigFile(text).status().message());
}

TEST(ConfigFileTest, ReadsFlagsWithTheirKindsAndComments) {
  ASSERT_OK_AND_ASSIGN(const ConfigFile file, ParseConfigFile(R"({
    // A line.
    "host": "::1", "threads": 2, /* and a block */ "max_queue_ms": 0.5,
    "brownout": true, "load_model": ["a", "b"]
  })"));
  ASSERT_EQ(file.entries.size(), 5u);
  EXPECT_EQ(file.entries[0].key, "host");
  EXPECT_EQ(file.entries[0].values[0].text, "::1");
  EXPECT_EQ(file.entries[1].values[0].kind, ConfigValue::Kind::kInteger);
  EXPECT_EQ(file.entries[1].values[0].text, "2");
  EXPECT_EQ(file.entries[2].values[0].kind, ConfigValue::Kind::kNumber);
  EXPECT_EQ(file.entries[2].values[0].text, "0.5");
  EXPECT_EQ(file.entries[3].values[0].kind, ConfigValue::Kind::kBoolean);
  EXPECT_TRUE(file.entries[4].is_list);
  EXPECT_EQ(file.entries[4].values[1].text, "b");
}

TEST(ConfigFileTest, ReadsWhatModelsAreToServe) {
  ASSERT_OK_AND_ASSIGN(const ConfigFile file, ParseConfigFile(R"({"models": {
    "a": {"versions": "latest:2", "labels": {"stable": 3, "canary": 4}},
    "b": {"versions": "all"}, "c": {"versions": [3, 1]}, "d": {}
  }})"));
  EXPECT_TRUE(file.entries.empty());
  const ModelSettings& a = file.models.at("a");
  EXPECT_EQ(a.versions->kind, VersionPolicy::Kind::kLatest);
  EXPECT_EQ(a.versions->latest, 2);
  EXPECT_THAT(a.labels, ElementsAre(Pair("canary", 4), Pair("stable", 3)));
  EXPECT_EQ(file.models.at("b").versions->kind, VersionPolicy::Kind::kAll);
  EXPECT_THAT(file.models.at("c").versions->specific, ElementsAre(1, 3));
  EXPECT_FALSE(file.models.at("d").versions.has_value());
}

TEST(ConfigFileTest, SaysWhereAndWhatWasExpected) {
  EXPECT_THAT(Problem("{\n  \"a\": }"), HasSubstr("line 2"));
  EXPECT_THAT(Problem("[]"), HasSubstr("expected a JSON object, got []"));
  EXPECT_THAT(Problem(R"({"host": {"a": 1}})"),
              HasSubstr("host: expected a text"));
  EXPECT_THAT(Problem(R"({"host": null})"), HasSubstr("got null"));
  EXPECT_THAT(Problem("{\"host\": \"a\\u0000b\"}"),
              HasSubstr("without control characters"));
  EXPECT_THAT(Problem("{\"host\": \"\xff\"}"), HasSubstr("expected JSON"));
  EXPECT_THAT(Problem(R"({"host": "a", "host": "b"})"),
              HasSubstr("\"host\": is there twice"));
  EXPECT_THAT(Problem(R"({"models": {"a": {"labels": {"x": 1, "x": 2}}}})"),
              HasSubstr("\"x\": is there twice"));
  EXPECT_THAT(Problem(R"({"models": []})"), HasSubstr("models: expected an"));
  EXPECT_THAT(Problem(R"({"models": {"../a": {}}})"), HasSubstr("\"../a\""));
  EXPECT_THAT(Problem(R"({"models": {"a": 1}})"), HasSubstr("models.a: "));
  EXPECT_THAT(Problem(R"({"models": {"a": {"version": 1}}})"),
              HasSubstr("got the key \"version\""));
  EXPECT_THAT(Problem(R"({"models": {"a": {"labels": {"7": 1}}}})"),
              HasSubstr("got \"7\""));
}

TEST(ConfigFileTest, RefusesVersionsAndLabelsThatAreNone) {
  for (const char* versions :
       {"[]", "[0]", "[-1]", "[1.5]", "[\"1\"]", "\"\"", "\"latest:0\"",
        "\"newest\"", "7", "null", "[18446744073709551615]"}) {
    EXPECT_THAT(Problem(absl::StrCat(R"({"models": {"a": {"versions": )",
                                     versions, "}}}")),
                HasSubstr("models.a.versions: expected \"latest:N\""))
        << versions;
  }
  for (const char* version : {"0", "-1", "\"3\"", "1.5", "null"}) {
    EXPECT_THAT(Problem(absl::StrCat(R"({"models": {"a": {"labels": {"x": )",
                                     version, "}}}}")),
                HasSubstr("models.a.labels.x: expected a version"))
        << version;
  }
}

TEST(ConfigFileTest, ListsAllProblems) {
  EXPECT_EQ(Problem(R"({"host": null, "models": {"a": {"x": 1}, "b": 2}})"),
            "host: expected a text without control characters, a number, true "
            "or false, got null\n"
            "models.a: expected versions and labels, got the key \"x\"\n"
            "models.b: expected an object, got 2");
}

TEST(ConfigFileTest, BoundsSizeAndDepth) {
  EXPECT_THAT(Problem(std::string(kMaxConfigBytes + 1, ' ')),
              HasSubstr("at most 1048576 bytes"));
  const std::string open(kMaxConfigBytes / 2, '[');
  const std::string closed(kMaxConfigBytes / 2, ']');
  EXPECT_THAT(Problem(open + closed), HasSubstr("nests deeper than 8"));
  // A quote in a comment does not hide what nests.
  EXPECT_THAT(Problem("// \"\n{\"a\": " + std::string(8, '[') +
                      std::string(8, ']') + "}"),
              HasSubstr("nests deeper than 8"));
}

TEST(ConfigFileTest, ModelsAreReadAgainFromTheFile) {
  const TempDir dir;
  const std::string path = dir.File("config.json");
  EXPECT_THAT(ReadModelSettings(path),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path)));
  std::ofstream(path) << R"({"no_such_flag": 1, "models": {"a": {}}})";
  ASSERT_OK_AND_ASSIGN(const auto models, ReadModelSettings(path));
  EXPECT_EQ(models.count("a"), 1u);
  std::ofstream(path) << R"({"models": {"a": 1, "b": 2}})";
  EXPECT_THAT(ReadModelSettings(path),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr(absl::StrCat("\n", path, ": models.b"))));
}

}  // namespace
}  // namespace mre
