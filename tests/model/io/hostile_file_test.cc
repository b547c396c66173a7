// Damaged and hostile checkpoints: each is refused with a clear error, without
// a crash and without memory that the file's size does not justify.
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/rng.h"
#include "model/io/checkpoint.h"
#include "model/io/safetensors.h"
#include "tests/support/allocations.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using absl::StatusCode;
using nlohmann::json;
using testing::HasSubstr;

// Parses and checks the memory that it took. Trees of tiny JSON values take
// some tens of bytes a byte; the limits are far below what any size written
// inside the file could ask for.
absl::Status Parse(absl::string_view file) {
  const std::span<const std::byte> bytes =
      std::as_bytes(std::span<const char>(file.data(), file.size()));
  StartRecording();
  absl::Status status = ParseCheckpoint(bytes).status();
  const Allocations used = StopRecording();
  EXPECT_LE(used.largest, 24 * file.size() + 4096) << status;
  EXPECT_LE(used.peak, 64 * file.size() + 16384) << status;
  if (!status.ok()) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_GE(status.message().size(), 10u);
  }
  return status;
}

auto Refuses(absl::string_view words) {
  return StatusIs(StatusCode::kInvalidArgument, HasSubstr(std::string(words)));
}

std::string File(absl::string_view header, absl::string_view data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  }
  return absl::StrCat(bytes, header, data);
}

// A valid checkpoint, in its parts.
struct Parts {
  Parts() {
    const Model model = RandomModel(RandomConfig(3), 3);
    file = SerializeCheckpoint(model);
    uint64_t length = 0;
    for (int i = 8; i-- > 0;) {
      length = length << 8 | static_cast<uint8_t>(file[i]);
    }
    header = json::parse(file.substr(8, length));
    data = file.substr(8 + length);
  }
  std::string file;
  json header;
  std::string data;
};

std::string WithConfig(const Parts& parts, const json& config) {
  json header = parts.header;
  header["__metadata__"]["mre.config"] = config.dump();
  return File(header.dump(), parts.data);
}

json ConfigOf(const Parts& parts) {
  return json::parse(
      parts.header["__metadata__"]["mre.config"].get<std::string>());
}

TEST(HostileFileTest, AcceptsTheFileThatTheOthersAreMadeFrom) {
  const Parts parts;
  EXPECT_THAT(Parse(parts.file), IsOk());
  EXPECT_THAT(Parse(File(parts.header.dump(), parts.data)), IsOk());
}

// The most units, modules and blocks that a config may ask for, in a file that
// holds none of them.
TEST(HostileFileTest, RefusesRaytracingsLargerThanTheFile) {
  const Model model = RandomModel(RandomConfigOf(Kind::kRaytracing, 1), 1);
  const json small = json::parse(FormatConfig(model.config));
  Parts parts;
  for (const auto& [field, value, error] :
       std::vector<std::tuple<const char*, int64_t, const char*>>{
           {"/raytracing/modules", 1024, "too many for the file"},
           {"/width", 65536, "parameters, the file has only"},
           {"/expert/hidden", 65536, "parameters, the file has only"},
           {"/layers", 256, "too many for the file"}}) {
    json config = small;
    config[json::json_pointer(field)] = value;
    EXPECT_THAT(Parse(WithConfig(parts, config)), Refuses(error)) << field;
  }
}

// Wiring is drawn from all of the input, which may be large where modules see
// next to nothing of it.
TEST(HostileFileTest, RefusesRaytracingsOfHugeInputs) {
  const Model model = RandomModel(RandomConfigOf(Kind::kRaytracing, 1), 1);
  json config = json::parse(FormatConfig(model.config));
  config["raytracing"]["sparsity"] = 1e-9;
  const Parts parts;
  for (const auto& [side, error] : std::vector<std::pair<int64_t, const char*>>{
           {4096, "inputs of 16777216 elements"}, {512, "tensor"}}) {
    config["input"] = {
        {"shape", {side, side, 1}}, {"scale", 1}, {"mean", {0}}, {"std", {1}}};
    EXPECT_THAT(Parse(WithConfig(parts, config)), Refuses(error)) << side;
  }
}

TEST(HostileFileTest, RefusesTruncationAnywhere) {
  const Parts parts;
  for (size_t size = 0; size < parts.file.size(); size += 64) {
    EXPECT_FALSE(Parse(parts.file.substr(0, size)).ok()) << size;
  }
  for (size_t size = 0; size < 20; ++size) {
    EXPECT_FALSE(Parse(parts.file.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(Parse(parts.file.substr(0, parts.file.size() - 1)).ok());
  EXPECT_FALSE(Parse(parts.file + "x").ok());
}

TEST(HostileFileTest, NamesTheTensorWhoseEntryIsDamaged) {
  const Parts parts;
  const json values[] = {nullptr,
                         true,
                         -1,
                         0,
                         1,
                         3.5,
                         "",
                         "F64",
                         {},
                         {{"a", 1}},
                         json::array({-1}),
                         json::array({0, 1}),
                         18446744073709551615u,
                         json::array({1u << 31, 1u << 31}),
                         json::array({0, 18446744073709551615u})};
  for (const auto& [name, entry] : parts.header.items()) {
    if (name == "__metadata__") continue;
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      for (const json& value : values) {
        json header = parts.header;
        header[name][field] = value;
        if (header == parts.header) continue;
        EXPECT_THAT(Parse(File(header.dump(), parts.data)), Refuses(name))
            << field << " = " << value;
      }
      json header = parts.header;
      header[name].erase(field);
      EXPECT_THAT(Parse(File(header.dump(), parts.data)), Refuses(name));
    }
  }
}

TEST(HostileFileTest, NamesATensorWhenTwoOverlap) {
  const Parts parts;
  const std::string offsets = "data_offsets";
  for (const auto& [name, entry] : parts.header.items()) {
    if (name == "__metadata__" || entry[offsets][0] == 0) continue;
    json header = parts.header;
    const auto begin = entry[offsets][0].get<int64_t>();
    const auto end = entry[offsets][1].get<int64_t>();
    header[name][offsets] = {begin - 4, end - 4};
    EXPECT_THAT(Parse(File(header.dump(), parts.data)), Refuses("tensor \""));
  }
}

// Whatever one byte becomes, the file is refused or means the same model in
// other words; the sanitizers watch.
TEST(HostileFileTest, SurvivesAnyByteOfTheHeaderChanged) {
  const Parts parts;
  const size_t header = parts.file.size() - parts.data.size();
  Rng rng(1);
  for (size_t i = 0; i < header; i += 1 + rng.Below(3)) {
    std::string file = parts.file;
    file[i] = "\0\xff\"{}[],:0-9e"[rng.Below(14)];
    (void)Parse(file);
    file[i] = static_cast<char>(parts.file[i] ^ (1 << rng.Below(8)));
    (void)Parse(file);
  }
}

TEST(HostileFileTest, SurvivesRandomDamage) {
  const Parts parts;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    std::string file = parts.file;
    for (uint64_t n = 1 + rng.Below(5); n-- > 0;) {
      const size_t at = rng.Below(file.size());
      switch (rng.Below(3)) {
        case 0:
          file[at] = static_cast<char>(rng.Below(256));
          break;
        case 1:
          file.erase(at, 1 + rng.Below(9));
          break;
        default:
          file.insert(at, file.substr(rng.Below(file.size()), rng.Below(40)));
      }
    }
    (void)Parse(file);
  }
}

TEST(HostileFileTest, RefusesHeaderLengthsThatPromiseMore) {
  const Parts parts;
  for (int byte = 2; byte < 8; ++byte) {
    std::string file = parts.file;
    file[byte] = '\x7f';
    EXPECT_THAT(Parse(file), Refuses("header length"));
  }
}

TEST(HostileFileTest, RefusesConfigsThatPromiseMoreParameters) {
  const Parts parts;
  for (const char* field : {"/width", "/expert/hidden", "/router/context"}) {
    json config = ConfigOf(parts);
    config[json::json_pointer(field)] = 65536;
    EXPECT_THAT(Parse(WithConfig(parts, config)),
                Refuses("mre.config asks for"))
        << field;
  }
  json config = ConfigOf(parts);
  config["layers"] = 256;
  config["experts"] = 1024;
  config["width"] = config["expert"]["hidden"] = 65536;
  EXPECT_THAT(Parse(WithConfig(parts, config)), Refuses("mre.config asks for"));
}

// Many tiny tensors: the names alone take more memory than the parameters.
TEST(HostileFileTest, RefusesConfigsThatPromiseMoreTensors) {
  Parts parts;
  json config = ConfigOf(parts);
  config["width"] = config["expert"]["hidden"] = config["router"]["context"] =
      1;
  config["layers"] = 256;
  config["experts"] = 1;
  config["classes"] = {"a"};
  config["input"]["shape"] = {1, 1, 1};
  config["input"]["mean"] = config["input"]["std"] = {0.5};
  for (const int experts : {1, 8, 60}) {
    config["experts"] = experts;
    const int64_t floats = 256 * (8 + 8 * experts + experts * experts);
    json header;
    header["__metadata__"]["mre.config"] = config.dump();
    header["stem.weight"] = {{"dtype", "U8"},
                             {"shape", {2 * floats}},
                             {"data_offsets", {0, 2 * floats}}};
    EXPECT_THAT(Parse(File(header.dump(), std::string(2 * floats, 'x'))),
                Refuses("mre.config"))
        << experts;
  }
}

TEST(HostileFileTest, RefusesDeeplyNestedHeaders) {
  std::string nested(200000, '[');
  EXPECT_FALSE(Parse(File(nested, "")).ok());
  EXPECT_FALSE(Parse(File("{\"a\":" + nested, "")).ok());
  nested += std::string(200000, ']');
  EXPECT_THAT(Parse(File("{\"a\":" + nested + "}", "")),
              Refuses("nested too deeply"));
}

TEST(HostileFileTest, RefusesDeeplyNestedConfigs) {
  const Parts parts;
  constexpr int kDepth = 500000;
  std::string config = ConfigOf(parts).dump();
  const std::string nested =
      std::string(kDepth, '[') + std::string(kDepth, ']');
  const json ours = ConfigOf(parts);
  for (const std::string& text :
       {nested, "{\"training\":{\"a\":" + nested + "}}",
        config.substr(0, config.size() - 1) + ",\"more\":" + nested + "}",
        "{\"training\":{\"a\":" + nested + "}," + config.substr(1)}) {
    json header = parts.header;
    header["__metadata__"]["mre.config"] = text;
    EXPECT_FALSE(Parse(File(header.dump(), parts.data)).ok());
  }
  // The real one with nested training notes.
  json copy = ours;
  copy["training"] = "PLACE";
  std::string text = copy.dump();
  text.replace(text.find("\"PLACE\""), 7, "{\"a\":" + nested + "}");
  json header = parts.header;
  header["__metadata__"]["mre.config"] = text;
  EXPECT_FALSE(Parse(File(header.dump(), parts.data)).ok());
}

TEST(HostileFileTest, TakesLittleMemoryForManyTinyValues) {
  std::string values = "{\"a\":[0";
  for (int i = 0; i < 100000; ++i) values += ",0";
  EXPECT_FALSE(Parse(File(values + "]}", "")).ok());
  std::string names = "{\"a\":{\"0\":0";
  for (int i = 1; i < 20000; ++i) absl::StrAppend(&names, ",\"", i, "\":0");
  EXPECT_FALSE(Parse(File(names + "}}", "")).ok());
}

}  // namespace
}  // namespace mre
