#include "model/io/checkpoint.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "model/io/safetensors.h"
#include "model/math/kernels_ref.h"
#include "model/net/kinds.h"
#include "model/net/mre_params.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> Bytes(absl::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

auto Refuses(absl::string_view words) {
  return StatusIs(StatusCode::kInvalidArgument, HasSubstr(std::string(words)));
}

Model SmallModel() { return RandomModel(RandomConfig(3), 3); }

// The checkpoint of SmallModel() after `edit`, parsed.
absl::Status ParseEdited(const std::function<void(Safetensors&)>& edit) {
  const std::string bytes = SerializeCheckpoint(SmallModel());
  absl::StatusOr<Safetensors> file = ParseSafetensors(Bytes(bytes));
  EXPECT_THAT(file, IsOk());
  edit(*file);
  return ParseCheckpoint(Bytes(SerializeSafetensors(*file))).status();
}

// The same with its config edited.
absl::Status ParseWithConfig(const std::function<void(nlohmann::json&)>& edit) {
  return ParseEdited([&](Safetensors& file) {
    nlohmann::json config = nlohmann::json::parse(file.metadata["mre.config"]);
    edit(config);
    file.metadata["mre.config"] = config.dump();
  });
}

TEST(CheckpointTest, RoundTripKeepsEveryBit) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Kind kinds[] = {Kind::kMre, Kind::kPathmoe, Kind::kAdak};
    const Kind kind = kinds[seed % 3];
    const Model model =
        RandomModel(seed % 2 == 0 ? RandomConfigOf(kind, seed)
                                  : RandomTextConfigOf(kind, seed),
                    seed);
    const std::string bytes = SerializeCheckpoint(model);
    ASSERT_OK_AND_ASSIGN(const Model parsed, ParseCheckpoint(Bytes(bytes)));
    EXPECT_EQ(FormatConfig(parsed.config), FormatConfig(model.config));
    ASSERT_EQ(parsed.params.size(), model.params.size());
    EXPECT_EQ(std::memcmp(parsed.params.data(), model.params.data(),
                          model.params.size() * sizeof(float)),
              0);
    EXPECT_EQ(SerializeCheckpoint(parsed), bytes);
  }
}

TEST(CheckpointTest, ATextsTableHasARowAByte) {
  const std::string bytes =
      SerializeCheckpoint(RandomModel(RandomTextConfigOf(Kind::kMre, 3), 3));
  ASSERT_OK_AND_ASSIGN(Safetensors file, ParseSafetensors(Bytes(bytes)));
  TensorView& table = file.tensors.at("stem.embedding");
  ASSERT_EQ(table.shape[0], 256);
  table.shape[0] = 128;
  table.bytes = table.bytes.first(table.bytes.size() / 2);
  EXPECT_THAT(ParseCheckpoint(Bytes(SerializeSafetensors(file))),
              Refuses("tensor \"stem.embedding\": shape [128,"));
  file.tensors.erase("stem.embedding");
  EXPECT_THAT(ParseCheckpoint(Bytes(SerializeSafetensors(file))),
              Refuses("tensor \"stem.embedding\": missing"));
}

// Its wiring is a function of the config, so that the parameters are all.
TEST(CheckpointTest, RoundTripOfARaytracing) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Model model =
        RandomModel(RandomConfigOf(Kind::kRaytracing, seed), seed);
    const std::string bytes = SerializeCheckpoint(model);
    ASSERT_OK_AND_ASSIGN(const Model parsed, ParseCheckpoint(Bytes(bytes)));
    EXPECT_EQ(FormatConfig(parsed.config), FormatConfig(model.config));
    EXPECT_EQ(parsed.params, model.params);
    EXPECT_EQ(SerializeCheckpoint(parsed), bytes);
  }
}

TEST(CheckpointTest, SavesIntoARepositoryAndLoads) {
  const TempDir root;
  const Model model = SmallModel();
  ASSERT_THAT(WriteToRepository(root.path(), "small", 7, model), IsOk());
  ASSERT_OK_AND_ASSIGN(const Model loaded,
                       LoadCheckpoint(root.File("small/7/model.safetensors")));
  EXPECT_EQ(loaded.params, model.params);
}

TEST(CheckpointTest, ErrorsCarryThePath) {
  const TempDir dir;
  EXPECT_THAT(LoadCheckpoint(dir.File("none")),
              StatusIs(StatusCode::kNotFound, HasSubstr(dir.File("none"))));
  ASSERT_THAT(WriteFileAtomically(dir.File("empty"), ""), IsOk());
  EXPECT_THAT(LoadCheckpoint(dir.File("empty")), Refuses(dir.File("empty")));
}

TEST(CheckpointTest, WidensBf16Exactly) {
  const Model model = SmallModel();
  const ParamTable layout = ParamsOf(model.config);
  std::vector<std::vector<uint16_t>> narrow;
  Safetensors file;
  file.metadata["mre.config"] = FormatConfig(model.config);
  for (const ParamSpec& spec : layout.specs) {
    auto& values = narrow.emplace_back();
    for (int64_t i = 0; i < spec.size; ++i) {
      values.push_back(static_cast<uint16_t>(
          std::bit_cast<uint32_t>(model.params[spec.offset + i]) >> 16));
    }
  }
  for (size_t s = 0; s < layout.specs.size(); ++s) {
    file.tensors[layout.specs[s].name] = {
        "BF16", layout.specs[s].shape,
        std::as_bytes(std::span<const uint16_t>(narrow[s]))};
  }
  const std::string bytes = SerializeSafetensors(file);
  ASSERT_OK_AND_ASSIGN(const Model parsed, ParseCheckpoint(Bytes(bytes)));
  for (size_t i = 0; i < model.params.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(parsed.params[i]),
              std::bit_cast<uint32_t>(model.params[i]) & 0xffff0000u);
  }
}

TEST(CheckpointTest, Bf16RoundsMatricesAlone) {
  const Model model = SmallModel();
  const std::string bytes = SerializeCheckpoint(model, Storage::kBf16);
  EXPECT_LT(bytes.size(), 0.8 * SerializeCheckpoint(model).size());
  ASSERT_OK_AND_ASSIGN(const Model parsed, ParseCheckpoint(Bytes(bytes)));
  for (const ParamSpec& spec : ParamsOf(model.config).specs) {
    const bool rounds = spec.group == ParamGroup::kMatrix;
    for (int64_t i = spec.offset; i < spec.offset + spec.size; ++i) {
      const float value = model.params[i];
      ASSERT_EQ(parsed.params[i], rounds ? ref::RoundToBf16(value) : value)
          << spec.name;
    }
  }
  // What is rounded once stays as it is.
  EXPECT_EQ(SerializeCheckpoint(parsed, Storage::kBf16), bytes);
}

TEST(CheckpointTest, NamesTheMissingTensor) {
  for (const ParamSpec& spec : ParamsOf(SmallModel().config).specs) {
    EXPECT_THAT(
        ParseEdited([&](Safetensors& file) { file.tensors.erase(spec.name); }),
        Refuses(absl::StrCat("tensor \"", spec.name, "\": missing")));
  }
}

TEST(CheckpointTest, NamesTheExtraTensor) {
  EXPECT_THAT(ParseEdited([](Safetensors& file) {
                file.tensors["layers.0.bonus"] =
                    file.tensors["head.norm.weight"];
              }),
              Refuses("tensor \"layers.0.bonus\": not part"));
}

TEST(CheckpointTest, NamesTheTensorOfTheWrongType) {
  for (const ParamSpec& spec : ParamsOf(SmallModel().config).specs) {
    EXPECT_THAT(ParseEdited([&](Safetensors& file) {
                  file.tensors[spec.name].dtype = "I32";
                }),
                Refuses(absl::StrCat("tensor \"", spec.name,
                                     "\": dtype I32, expected F32 or BF16")));
  }
}

TEST(CheckpointTest, NamesTheTensorOfTheWrongShape) {
  for (const ParamSpec& spec : ParamsOf(SmallModel().config).specs) {
    SCOPED_TRACE(spec.name);
    const auto with_shape = [&](std::vector<int64_t> shape) {
      return ParseEdited([&](Safetensors& file) {
        file.tensors[spec.name].shape = std::move(shape);
      });
    };
    const std::string words =
        absl::StrCat("tensor \"", spec.name, "\": shape [");
    std::vector<int64_t> longer = spec.shape;
    longer.push_back(1);
    EXPECT_THAT(with_shape(longer), Refuses(words));
    if (spec.shape.size() == 2) {
      EXPECT_THAT(with_shape({spec.size}), Refuses(words));
      if (spec.shape[0] != spec.shape[1]) {
        EXPECT_THAT(with_shape({spec.shape[1], spec.shape[0]}), Refuses(words));
      }
    }
  }
}

TEST(CheckpointTest, NamesTheTensorThatIsNotFinite) {
  const Model model = SmallModel();
  for (const float value : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    for (const ParamSpec& spec : ParamsOf(model.config).specs) {
      Model bad = model;
      bad.params[spec.offset + spec.size - 1] = value;
      EXPECT_THAT(ParseCheckpoint(Bytes(SerializeCheckpoint(bad))),
                  Refuses(absl::StrCat("tensor \"", spec.name, "\": value ",
                                       spec.size - 1, " is not finite")));
    }
  }
}

TEST(CheckpointTest, RefusesFilesOfOtherPrograms) {
  EXPECT_THAT(ParseEdited([](Safetensors& file) { file.metadata.clear(); }),
              Refuses("no \"mre.config\""));
  EXPECT_THAT(ParseEdited([](Safetensors& file) {
                file.metadata["mre.config"] = "not json";
              }),
              Refuses("mre.config"));
}

TEST(CheckpointTest, NamesTheConfigFieldThatIsWrong) {
  using nlohmann::json;
  struct Case {
    const char* pointer;
    json value;
    const char* words;
  };
  const Case cases[] = {
      {"/format", 2, "format: expected 1, got 2"},
      {"/format", "1", "format"},
      {"/kind", "moe", "kind"},
      {"/input", 3, "input"},
      {"/input/shape", {28, 28}, "input.shape"},
      {"/input/shape", {0, 28, 1}, "input.shape"},
      {"/input/shape", {1e30, 1, 1}, "input.shape"},
      {"/input/shape", {16777216, 16777216, 1}, "input.shape"},
      {"/input/shape", {1.5, 2, 1}, "input.shape"},
      {"/input/scale", 0, "input.scale"},
      {"/input/scale", "1", "input.scale"},
      {"/input/mean", json::array(), "input.mean"},
      {"/input/std", {0}, "input.std"},
      {"/stem/kind", "conv", "stem.kind"},
      {"/stem/activation", "tanh", "stem.activation"},
      {"/width", 0, "width"},
      {"/width", -1, "width"},
      {"/width", 65537, "width"},
      {"/width", 9223372036854775807, "width"},
      {"/width", 18446744073709551615u, "width"},
      {"/width", 8.0, "width"},
      {"/layers", 257, "layers"},
      {"/layers", nullptr, "layers"},
      {"/experts", 1025, "experts"},
      {"/expert/kind", "conv", "stem.kind"},
      {"/expert/kind", "gru", "expert.kind"},
      {"/expert/hidden", 0, "expert.hidden"},
      {"/router/context", 0, "router.context"},
      {"/router/sharing", 9, "router.sharing"},
      {"/classes", json::array(), "classes"},
      {"/classes", {1, 2}, "classes"},
      {"/training", 1, "training"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(ParseWithConfig([&](json& config) {
                  config[json::json_pointer(c.pointer)] = c.value;
                }),
                Refuses(c.words))
        << c.pointer << " = " << c.value;
  }
  for (const char* field :
       {"format", "kind", "input", "stem", "width", "layers", "experts",
        "expert", "router", "classes"}) {
    EXPECT_THAT(
        ParseWithConfig([&](json& config) { config.erase(field); }),
        Refuses(absl::StrCat(field, ": expected a value, but it is missing")));
  }
}

// FNV-1a over the bits of all parameters.
uint64_t Fingerprint(const Model& model) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const float value : model.params) {
    hash = (hash ^ std::bit_cast<uint32_t>(value)) * 0x100000001b3ull;
  }
  return hash;
}

// Files of every format ever written stay loadable: this one never changes. The
// numbers were read from it by another program.
TEST(CheckpointTest, LoadsTheFixtureOfFormat1) {
  ASSERT_OK_AND_ASSIGN(const Model model,
                       LoadCheckpoint(MRE_GOLDEN_DIR "/format1.safetensors"));
  const ModelConfig& config = model.config;
  EXPECT_THAT(config.input.shape, ElementsAre(1, 1, 3));
  EXPECT_EQ(config.input.scale, 1.0 / 255);
  EXPECT_THAT(config.input.mean,
              ElementsAre(0.28994865516623314, 0.20571635844110686,
                          0.5660823848426543));
  EXPECT_THAT(
      config.input.std,
      ElementsAre(0.3923254118748037, 0.2244441582940012, 0.3566094812749734));
  EXPECT_EQ(config.stem_activation, Activation::kNone);
  EXPECT_EQ(config.width, 39);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.experts, 2);
  EXPECT_EQ(config.hidden, 8);
  EXPECT_EQ(config.context, 2);
  ASSERT_EQ(config.num_classes(), 12);
  EXPECT_EQ(config.classes[11], "class 11");
  EXPECT_EQ(config.training, "{\"seed\":8}");
  const MreParams parts(config);
  const std::span<const float> params = model.params;
  EXPECT_EQ(parts.stem.weight.in(params)[0], -0.648417175f);
  EXPECT_EQ(parts.router.transition[1].in(params)[1], 1.4062134f);
  EXPECT_EQ(parts.head.bias.in(params)[11], 0.343695611f);
  EXPECT_EQ(Fingerprint(model), 0x75210b254ddd26e5ull);
}

}  // namespace
}  // namespace mre
