#include "model/net/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

namespace mre {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

ModelConfig SmallConfig() {
  ModelConfig config;
  config.input = {{2, 3, 2}, 1.0 / 255, {0.25, 0.5}, {1, 2}};
  config.stem_activation = Activation::kRelu;
  config.width = 6;
  config.layers = 3;
  config.experts = 2;
  config.hidden = 5;
  config.context = 4;
  config.classes = {"cat", "dög \"quoted\""};
  config.training = R"({"seed":3,"accuracy":[0.5,0.75]})";
  return config;
}

TEST(ConfigTest, SurvivesFormatAndParse) {
  const ModelConfig config = SmallConfig();
  const auto parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->input.shape, config.input.shape);
  EXPECT_EQ(parsed->input.scale, config.input.scale);
  EXPECT_EQ(parsed->input.mean, config.input.mean);
  EXPECT_EQ(parsed->input.std, config.input.std);
  EXPECT_EQ(parsed->stem_activation, config.stem_activation);
  EXPECT_EQ(parsed->width, 6);
  EXPECT_EQ(parsed->layers, 3);
  EXPECT_EQ(parsed->experts, 2);
  EXPECT_EQ(parsed->hidden, 5);
  EXPECT_EQ(parsed->context, 4);
  EXPECT_EQ(parsed->classes, config.classes);
  EXPECT_EQ(json::parse(parsed->training), json::parse(config.training));
}

TEST(ConfigTest, EveryKindKeepsWhatItHas) {
  ModelConfig config = SmallConfig();
  config.kind = Kind::kPathmoe;
  config.top_k = 2;
  config.sharing = 3;
  auto parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->kind, Kind::kPathmoe);
  EXPECT_EQ(parsed->top_k, 2);
  EXPECT_EQ(parsed->sharing, 3);
  config.kind = Kind::kTopk;  // shares nothing
  EXPECT_THAT(std::string(ParseConfig(FormatConfig(config)).status().message()),
              HasSubstr("router.sharing"));
  config.sharing = 1;
  config.top_k = 3;  // of 2 experts
  EXPECT_THAT(std::string(ParseConfig(FormatConfig(config)).status().message()),
              HasSubstr("router.top_k"));
  config.kind = Kind::kMlp;
  EXPECT_THAT(std::string(ParseConfig(FormatConfig(config)).status().message()),
              HasSubstr("experts"));
  config.experts = 1;
  parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->kind, Kind::kMlp);
  config.kind = Kind::kCnn;
  EXPECT_THAT(std::string(ParseConfig(FormatConfig(config)).status().message()),
              HasSubstr("expert.kind: expected \"conv\" in a cnn"));
  config.expert = ExpertKind::kConv;
  config.patch = {2, 1, 0};
  parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->kind, Kind::kCnn);
}

TEST(ConfigTest, AnAdakHasAMostAndSharesNothing) {
  ModelConfig config = SmallConfig();
  config.kind = Kind::kAdak;
  config.top_k = 2;
  const auto parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->kind, Kind::kAdak);
  EXPECT_EQ(parsed->allocations(), 2);
  config.sharing = 2;
  EXPECT_THAT(
      std::string(ParseConfig(FormatConfig(config)).status().message()),
      HasSubstr("router.sharing: expected an integer in [1, 1], got 2"));
}

TEST(ConfigTest, AnMreMayEndBeforeItHasRunAll) {
  ModelConfig config = SmallConfig();
  EXPECT_EQ(config.expert_steps(), config.total_experts());
  config.max_steps = 2;
  const auto parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->expert_steps(), 2);
}

TEST(ConfigTest, AnMreMayShareItsGates) {
  ModelConfig config = SmallConfig();
  EXPECT_THAT(FormatConfig(config),
              HasSubstr(R"("router":{"context":4,"sharing":1})"));
  config.sharing = 2;
  const auto parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->sharing, 2);
  EXPECT_EQ(parsed->gate_groups(), 2);
}

ModelConfig RaytracingModel() {
  ModelConfig config = SmallConfig();
  config.kind = Kind::kRaytracing;
  config.stem_activation = Activation::kNone;
  config.raytracing = {.modules = 3,
                       .sparsity = 0.7,
                       .gain = 2.5,
                       .normalised = true,
                       .theta_out = 0.1,
                       .decay = 0.95,
                       .max_steps = 17,
                       .seed = INT64_MAX};
  return config;
}

TEST(ConfigTest, RaytracingKeepsItsThresholdsAndItsWiring) {
  const auto parsed = ParseConfig(FormatConfig(RaytracingModel()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const RaytracingConfig& rays = parsed->raytracing;
  EXPECT_EQ(parsed->kind, Kind::kRaytracing);
  EXPECT_EQ(parsed->hidden, 5);
  EXPECT_EQ(rays.modules, 3);
  EXPECT_EQ(rays.sparsity, 0.7);
  EXPECT_EQ(rays.gain, 2.5);
  EXPECT_TRUE(rays.normalised);
  EXPECT_EQ(rays.theta_out, 0.1);
  EXPECT_EQ(rays.decay, 0.95);
  EXPECT_EQ(rays.max_steps, 17);
  EXPECT_EQ(rays.seed, INT64_MAX);
}

TEST(ConfigTest, RaytracingOutOfBoundsIsRefusedByName) {
  const std::tuple<const char*, const char*, const char*> bad[] = {
      {"/raytracing", "1", "raytracing"},
      {"/expert/kind", "\"mlp\"", "expert.kind"},
      {"/raytracing/modules", "0", "raytracing.modules"},
      {"/raytracing/modules", "1025", "raytracing.modules"},
      {"/raytracing/sparsity", "0", "raytracing.sparsity"},
      {"/raytracing/sparsity", "1.01", "raytracing.sparsity"},
      {"/raytracing/sparsity", "null", "raytracing.sparsity"},
      {"/raytracing/input", "\"cooked\"", "raytracing.input"},
      {"/raytracing/gain", "0", "raytracing.gain"},
      {"/raytracing/gain", "1e5", "raytracing.gain"},
      {"/raytracing/theta_out", "0", "raytracing.theta_out"},
      {"/raytracing/theta_out", "3", "raytracing.theta_out"},
      {"/raytracing/decay", "1", "raytracing.decay"},
      {"/raytracing/decay", "0", "raytracing.decay"},
      {"/raytracing/max_steps", "1025", "raytracing.max_steps"},
      {"/raytracing/seed", "-1", "raytracing.seed"},
      {"/raytracing/seed", "9223372036854775808", "raytracing.seed"},
      {"/width", "65536", ""},  // still within the bound of units
      {"/expert/hidden", "65536", ""},
      // A module's units would all be wired to too few blocks' worth.
      {"/experts", "1000", "a wire for every block, but layer 0"},
  };
  for (const auto& [field, value, name] : bad) {
    json root = json::parse(FormatConfig(RaytracingModel()));
    root[json::json_pointer(field)] = json::parse(value);
    const auto parsed = ParseConfig(root.dump());
    if (*name == 0) {
      EXPECT_TRUE(parsed.ok()) << field << parsed.status();
      continue;
    }
    ASSERT_FALSE(parsed.ok()) << field << value;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(name));
  }
  // Sizes whose products would pass the bounds, one by one within theirs.
  ModelConfig config = RaytracingModel();
  config.layers = kMaxLayers;
  config.experts = kMaxExpertsPerLayer;
  config.hidden = kMaxDimension;
  EXPECT_THAT(std::string(Validate(config).message()), HasSubstr("units"));
  config = RaytracingModel();
  config.input.shape = {4096, 2048, 2};
  config.raytracing.modules = 1024;
  EXPECT_THAT(std::string(Validate(config).message()),
              HasSubstr("elements of the input"));
}

TEST(ConfigTest, ConvExpertsHaveAPatchStem) {
  ModelConfig config = SmallConfig();
  config.expert = ExpertKind::kConv;
  config.input.shape = {28, 27, 2};
  config.patch = {8, 4, 2};
  EXPECT_EQ(config.map_height(), 7);
  EXPECT_EQ(config.map_width(), 6);
  const auto parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->stream_size(), 7 * 6 * 6);
  EXPECT_EQ(parsed->features(), 60);
  const auto refused = [&](PatchConfig patch) {
    config.patch = patch;
    return std::string(ParseConfig(FormatConfig(config)).status().message());
  };
  EXPECT_THAT(refused({0, 1, 0}), HasSubstr("stem.size"));
  EXPECT_THAT(refused({28, 1, 0}), HasSubstr("stem.size"));
  EXPECT_THAT(refused({4, 0, 0}), HasSubstr("stem.stride"));
  EXPECT_THAT(refused({4, 1, 4}), HasSubstr("stem.padding"));
  EXPECT_THAT(refused({4, 1, -1}), HasSubstr("stem.padding"));
  // Small tensors that would need large maps.
  config.hidden = kMaxDimension;
  EXPECT_THAT(refused({4, 1, 0}), HasSubstr("hidden map"));
  config.hidden = 5;
  config.input.shape = {2048, 2048, 2};
  EXPECT_THAT(refused({64, 8, 0}), HasSubstr("patches"));
}

TEST(ConfigTest, AFrontComesBeforeThePatches) {
  ModelConfig config = SmallConfig();
  config.expert = ExpertKind::kConv;
  config.input.shape = {32, 30, 2};
  config.front = {{8, {3, 1, 1}}, {16, {3, 2, 1}}};
  config.patch = {2, 2, 0};
  const auto parsed = ParseConfig(FormatConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->front.size(), 2u);
  EXPECT_EQ(parsed->front[1].channels, 16);
  EXPECT_EQ(parsed->front[1].patch.stride, 2);
  EXPECT_EQ(parsed->patched_map().height, 16);
  EXPECT_EQ(parsed->map_height(), 8);
  EXPECT_EQ(parsed->map_width(), 7);
  const auto refused = [&](FrontLayer layer) {
    config.front[1] = layer;
    return std::string(ParseConfig(FormatConfig(config)).status().message());
  };
  EXPECT_THAT(refused({0, {3, 1, 1}}), HasSubstr("stem.layers.1.channels"));
  EXPECT_THAT(refused({8, {0, 1, 0}}), HasSubstr("stem.layers.1.size"));
  EXPECT_THAT(refused({8, {40, 1, 0}}), HasSubstr("stem.layers.1.size"));
  EXPECT_THAT(refused({8, {3, 0, 0}}), HasSubstr("stem.layers.1.stride"));
  EXPECT_THAT(refused({8, {3, 1, 3}}), HasSubstr("stem.layers.1.padding"));
  // The patches are too large for what the front leaves of the input.
  EXPECT_THAT(refused({8, {3, 31, 1}}), HasSubstr("stem.size"));
  config.front.assign(17, {8, {1, 1, 0}});
  EXPECT_THAT(refused({8, {1, 1, 0}}), HasSubstr("stem.layers"));
}

ModelConfig TextConfig() {
  ModelConfig config = SmallConfig();
  config.input = {{1, 32, 1}, 1, {0}, {1}};
  config.embedding = 16;
  config.training = "{}";
  return config;
}

TEST(ConfigTest, TextHasAnEmbeddingStem) {
  const std::string text = FormatConfig(TextConfig());
  EXPECT_THAT(text, HasSubstr(R"("stem":{"kind":"embedding","vocabulary":256,)"
                              R"("dimension":16,"activation":"relu"})"));
  const auto parsed = ParseConfig(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->text());
  EXPECT_EQ(parsed->embedding, 16);
  EXPECT_EQ(FormatConfig(*parsed), text);
  EXPECT_FALSE(ParseConfig(FormatConfig(SmallConfig()))->text());
}

TEST(ConfigTest, RefusesWhatNoTextModelIs) {
  const auto refused = [](const char* field, const char* value) {
    json root = json::parse(FormatConfig(TextConfig()));
    root[json::json_pointer(field)] = json::parse(value);
    const auto parsed = ParseConfig(root.dump());
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(parsed.status().message());
  };
  EXPECT_THAT(refused("/stem/vocabulary", "255"),
              HasSubstr("stem.vocabulary: expected 256"));
  EXPECT_THAT(refused("/stem/vocabulary", "null"),
              HasSubstr("stem.vocabulary"));
  for (const char* value : {"0", "-1", "65537", "1.5", "null"}) {
    EXPECT_THAT(refused("/stem/dimension", value), HasSubstr("stem.dimension"));
  }
  EXPECT_THAT(refused("/input/shape", "[32,1,1]"), HasSubstr("input.shape"));
  EXPECT_THAT(refused("/expert/kind", "\"conv\""), HasSubstr("expert.kind"));
  // A table that fits in a small file, and vectors that fit nowhere.
  EXPECT_THAT(refused("/input/shape", "[1,16777216,1]"),
              HasSubstr("elements of a window's vectors"));
}

TEST(ConfigTest, TrainingRecordMayBeMissing) {
  json root = json::parse(FormatConfig(SmallConfig()));
  root.erase("training");
  const auto parsed = ParseConfig(root.dump());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->training, "{}");
}

TEST(ConfigTest, RefusesWhatIsNotAnObject) {
  for (const char* text : {"", "[]", "3", "{", "{\"format\":1", "null"}) {
    EXPECT_FALSE(ParseConfig(text).ok()) << text;
  }
}

// A field (JSON pointer), a value it must not have, and what the error names.
using BadField = std::tuple<const char*, const char*, const char*>;

class BadFieldTest : public ::testing::TestWithParam<BadField> {};

TEST_P(BadFieldTest, IsRefusedByName) {
  const auto& [field, value, name] = GetParam();
  json root = json::parse(FormatConfig(SmallConfig()));
  root[json::json_pointer(field)] = json::parse(value);
  const auto parsed = ParseConfig(root.dump());
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(name));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadFieldTest,
    ::testing::Values(
        BadField("/format", "2", "format"),
        BadField("/format", "\"1\"", "format"),
        BadField("/kind", "\"dense\"", "kind"), BadField("/kind", "1", "kind"),
        BadField("/input", "[]", "input"),
        BadField("/input/shape", "[2,3]", "input.shape"),
        BadField("/input/shape", "[2,0,2]", "input.shape"),
        BadField("/input/shape", "[2,1.5,2]", "input.shape"),
        BadField("/input/shape", "[16777216,16777216,2]", "input.shape"),
        BadField("/input/shape", "\"2x3x2\"", "input.shape"),
        BadField("/input/scale", "0", "input.scale"),
        BadField("/input/scale", "\"1\"", "input.scale"),
        BadField("/input/mean", "[1]", "input.mean"),
        BadField("/input/mean", "[1,null]", "input.mean"),
        BadField("/input/std", "[1,0]", "input.std"),
        BadField("/input/std", "[1,-2]", "input.std"),
        BadField("/stem", "1", "stem"),
        BadField("/stem/kind", "\"conv\"", "stem.kind"),
        BadField("/stem/activation", "\"gelu\"", "stem.activation"),
        BadField("/width", "0", "width"), BadField("/width", "65537", "width"),
        BadField("/width", "1.5", "width"),
        BadField("/width", "18446744073709551615", "width"),
        BadField("/layers", "-1", "layers"),
        BadField("/layers", "257", "layers"),
        BadField("/experts", "1025", "experts"),
        BadField("/expert/kind", "\"conv\"", "stem.kind"),
        BadField("/expert/kind", "\"gru\"", "expert.kind"),
        BadField("/expert/hidden", "0", "expert.hidden"),
        BadField("/router/context", "0", "router.context"),
        BadField("/router/max_steps", "-1", "router.max_steps"),
        BadField("/router/max_steps", "1000", "router.max_steps"),
        BadField("/router/sharing", "0", "router.sharing"),
        BadField("/router/sharing", "4", "router.sharing"),
        BadField("/classes", "[]", "classes"),
        BadField("/classes", "[1]", "classes"),
        BadField("/classes", "\"cat\"", "classes"),
        BadField("/training", "\"none\"", "training")));

TEST(ConfigTest, EveryOtherFieldIsRequired) {
  const json whole = json::parse(FormatConfig(SmallConfig()));
  for (const char* field :
       {"/format",          "/kind",        "/input",
        "/input/shape",     "/input/scale", "/input/mean",
        "/input/std",       "/stem",        "/stem/kind",
        "/stem/activation", "/width",       "/layers",
        "/experts",         "/expert",      "/expert/kind",
        "/expert/hidden",   "/router",      "/router/context",
        "/router/sharing",  "/classes"}) {
    const json::json_pointer pointer(field);
    json root = whole;
    root[pointer.parent_pointer()].erase(pointer.back());
    EXPECT_FALSE(ParseConfig(root.dump()).ok()) << field;
  }
}

}  // namespace
}  // namespace mre
