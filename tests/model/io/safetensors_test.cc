#include "model/io/safetensors.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using absl::StatusCode;

using testing::ElementsAre;
using testing::HasSubstr;

using testing::Pair;

std::span<const std::byte> Bytes(absl::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

std::string Length(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }
  return bytes;
}

// A file of this header and data.
std::string File(absl::string_view header, absl::string_view data = "") {
  return absl::StrCat(Length(header.size()), header, data);
}

// A header with one tensor "t".
std::string OneTensor(absl::string_view dtype, absl::string_view shape,
                      absl::string_view offsets) {
  return absl::StrCat(R"({"t":{"dtype":)", dtype, R"(,"shape":)", shape,
                      R"(,"data_offsets":)", offsets, "}}");
}

absl::Status Parse(absl::string_view file) {
  return ParseSafetensors(Bytes(file)).status();
}

auto Refuses(absl::string_view words) {
  return StatusIs(StatusCode::kInvalidArgument, HasSubstr(std::string(words)));
}

TEST(SafetensorsTest, RoundTripKeepsEverything) {
  const std::string f32 = "abcdefghijkl", bf16 = "xy", none;
  Safetensors file;
  file.metadata = {{"key", "value \"quoted\" \n"}, {"", ""}};
  file.tensors["b.f32"] = {"F32", {3, 1}, Bytes(f32)};
  file.tensors["a.bf16"] = {"BF16", {}, Bytes(bf16)};
  file.tensors["empty"] = {"I64", {5, 0}, Bytes(none)};
  const std::string bytes = SerializeSafetensors(file);
  ASSERT_OK_AND_ASSIGN(const Safetensors parsed,
                       ParseSafetensors(Bytes(bytes)));
  EXPECT_EQ(parsed.metadata, file.metadata);
  ASSERT_EQ(parsed.tensors.size(), 3u);
  for (const auto& [name, tensor] : file.tensors) {
    SCOPED_TRACE(name);
    const TensorView& got = parsed.tensors.at(name);
    EXPECT_EQ(got.dtype, tensor.dtype);
    EXPECT_EQ(got.shape, tensor.shape);
    EXPECT_EQ(got.elements(), tensor.elements());
    ASSERT_EQ(got.bytes.size(), tensor.bytes.size());
    EXPECT_TRUE(
        std::equal(got.bytes.begin(), got.bytes.end(), tensor.bytes.begin()));
  }
  EXPECT_EQ(SerializeSafetensors(parsed), bytes);
}

TEST(SafetensorsTest, DataBeginsAtAMultipleOf64) {
  for (size_t n = 0; n < 70; ++n) {
    Safetensors file;
    file.metadata["x"] = std::string(n, 'x');
    const std::string bytes = SerializeSafetensors(file);
    EXPECT_EQ(bytes.size() % 64, 0u);
    EXPECT_THAT(Parse(bytes), IsOk());
  }
}

TEST(SafetensorsTest, ReadsFilesOfOtherWriters) {
  EXPECT_THAT(Parse(File("{}")), IsOk());
  EXPECT_THAT(Parse(File("  {}  \n")), IsOk());
  EXPECT_THAT(Parse(File(R"({"__metadata__":{}})")), IsOk());
  // Any order of members and of tensors.
  const std::string file =
      File(R"({"b":{"shape":[2],"data_offsets":[1,3],"dtype":"U8"},)"
           R"("a":{"data_offsets":[0,1],"dtype":"I8","shape":[]},)"
           R"("__metadata__":{"k":"v"}})",
           "abc");
  ASSERT_OK_AND_ASSIGN(const Safetensors parsed, ParseSafetensors(Bytes(file)));
  EXPECT_EQ(std::to_integer<char>(parsed.tensors.at("a").bytes[0]), 'a');
  EXPECT_EQ(std::to_integer<char>(parsed.tensors.at("b").bytes[1]), 'c');
  EXPECT_THAT(parsed.metadata, ElementsAre(Pair("k", "v")));
}

TEST(SafetensorsTest, RefusesFilesTooShortForALength) {
  for (int n = 0; n < 8; ++n) {
    EXPECT_THAT(Parse(std::string(n, '\0')),
                Refuses(absl::StrCat("file has ", n, " bytes")));
  }
}

TEST(SafetensorsTest, RefusesHeaderLengthsPastTheFile) {
  for (const uint64_t length :
       {uint64_t{3}, uint64_t{1000}, kMaxSafetensorsHeader,
        kMaxSafetensorsHeader + 1, uint64_t{1} << 32, uint64_t{1} << 63,
        ~uint64_t{0}, ~uint64_t{0} - 7}) {
    EXPECT_THAT(Parse(absl::StrCat(Length(length), "{}")),
                Refuses(absl::StrCat("header length ", length)));
  }
}

TEST(SafetensorsTest, RefusesHeadersThatAreNoJsonObject) {
  for (const char* header :
       {"", "{", "[]", "1", "null", "\"x\"", "{}}", "{\"a\":}", "{'a':1}",
        "{\"\xff\":1}", "{\"a\":1e999}", "// c\n{}", "{} x"}) {
    EXPECT_THAT(Parse(File(header)), Refuses("header is not a JSON object"))
        << header;
  }
}

TEST(SafetensorsTest, RefusesEntriesOfTheWrongKind) {
  for (const char* entry : {"1", "[]", "null", "\"F32\""}) {
    EXPECT_THAT(Parse(File(absl::StrCat(R"({"t":)", entry, "}"))),
                Refuses("tensor \"t\": entry must be an object"));
  }
  EXPECT_THAT(Parse(File(R"({"t":{}})")), Refuses("\"t\": dtype"));
  for (const char* dtype : {"1", "null", "[\"F32\"]"}) {
    EXPECT_THAT(Parse(File(OneTensor(dtype, "[]", "[0,4]"), "abcd")),
                Refuses("\"t\": dtype must be a string"));
  }
  for (const char* dtype : {"\"\"", "\"f32\"", "\"F8\"", "\"F32 \""}) {
    EXPECT_THAT(Parse(File(OneTensor(dtype, "[]", "[0,4]"), "abcd")),
                Refuses("\"t\": unknown dtype"));
  }
  for (const char* shape : {"1", "{}", "null", "\"[1]\""}) {
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", shape, "[0,4]"), "abcd")),
                Refuses("\"t\": shape must be an array"));
  }
  for (const char* shape : {"[-1]", "[1.0]", "[\"1\"]", "[[1]]", "[null]",
                            "[1e2]", "[18446744073709551616]", "[true]"}) {
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", shape, "[0,4]"), "abcd")),
                Refuses("\"t\": shape must hold non-negative integers"))
        << shape;
  }
  for (const char* offsets : {"4", "[]", "[0]", "[0,4,4]", "{}", "null"}) {
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", "[1]", offsets), "abcd")),
                Refuses("\"t\": data_offsets must be an array of two"));
  }
  for (const char* offsets : {"[-1,3]", "[0,4.0]", "[null,4]", "[0,\"4\"]"}) {
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", "[1]", offsets), "abcd")),
                Refuses("\"t\": data_offsets must hold"));
  }
  EXPECT_THAT(
      Parse(File(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],)"
                 R"("more":1}})",
                 "abcd")),
      Refuses("\"t\": entry has unknown members"));
}

TEST(SafetensorsTest, RefusesOffsetsOutsideTheData) {
  for (const char* offsets :
       {"[0,5]", "[1,5]", "[5,5]", "[4,0]", "[4,8]", "[18446744073709551612,0]",
        "[0,18446744073709551615]",
        "[18446744073709551615,18446744073709551615]"}) {
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", "[1]", offsets), "abcd")),
                Refuses("\"t\": data_offsets ["))
        << offsets;
  }
}

TEST(SafetensorsTest, RefusesOffsetsThatDisagreeWithTheShape) {
  for (const char* shape : {"[2]", "[0]", "[1,2]", "[3]"}) {
    EXPECT_THAT(
        Parse(File(OneTensor("\"F32\"", shape, "[0,4]"), "abcdefghijkl")),
        Refuses("\"t\": data_offsets span 4 bytes"))
        << shape;
  }
  EXPECT_THAT(Parse(File(OneTensor("\"F16\"", "[1]", "[0,4]"), "abcd")),
              Refuses("dtype and shape need 2"));
}

TEST(SafetensorsTest, RefusesDimensionsWhoseProductOverflows) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[18446744073709551615]",
        "[9223372036854775808,2]", "[4611686018427387904,4]",
        "[65536,65536,65536,65536]", "[2,2,2,2,4611686018427387904]"}) {
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", shape, "[0,0]"))),
                Refuses("\"t\": shape needs more bytes"))
        << shape;
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", shape, "[0,4]"), "abcd")),
                Refuses("\"t\": shape needs more bytes"))
        << shape;
  }
}

// A dimension of 0 makes any others harmless, but a TensorView's must fit.
TEST(SafetensorsTest, RefusesHugeDimensionsBesideZero) {
  for (const char* shape :
       {"[0,18446744073709551615]", "[18446744073709551615,0]",
        "[0,9223372036854775808,2]"}) {
    EXPECT_THAT(Parse(File(OneTensor("\"F32\"", shape, "[0,0]"))),
                Refuses("\"t\": shape"))
        << shape;
  }
  EXPECT_THAT(Parse(File(OneTensor("\"F32\"", "[0,7]", "[0,0]"))), IsOk());
}

// A header of one-byte tensors with the given offsets, named a, b, c...
std::string ByteTensors(const std::vector<std::pair<int, int>>& offsets) {
  std::string header = "{";
  for (size_t i = 0; i < offsets.size(); ++i) {
    const auto& [begin, end] = offsets[i];
    absl::StrAppend(&header, i == 0 ? "" : ",", "\"",
                    std::string(1, static_cast<char>('a' + i)),
                    R"(":{"dtype":"U8","shape":[)", end - begin,
                    R"(],"data_offsets":[)", begin, ",", end, "]}");
  }
  return header + "}";
}

TEST(SafetensorsTest, RefusesOverlapsGapsAndRests) {
  const auto parse = [](const std::vector<std::pair<int, int>>& offsets) {
    return Parse(File(ByteTensors(offsets), "0123456789"));
  };
  EXPECT_THAT(parse({{0, 5}, {5, 10}}), IsOk());
  EXPECT_THAT(parse({{5, 10}, {0, 5}}), IsOk());
  EXPECT_THAT(parse({{0, 5}, {5, 5}, {5, 10}, {10, 10}}), IsOk());
  EXPECT_THAT(parse({{0, 5}, {4, 10}}), Refuses("\"b\": starts at byte 4"));
  EXPECT_THAT(parse({{0, 5}, {0, 5}, {5, 10}}), Refuses("starts at byte 0"));
  EXPECT_THAT(parse({{0, 10}, {3, 5}}), Refuses("\"b\": starts at byte 3"));
  EXPECT_THAT(parse({{0, 5}, {6, 10}}), Refuses("\"b\": starts at byte 6"));
  EXPECT_THAT(parse({{1, 10}}), Refuses("\"a\": starts at byte 1"));
  EXPECT_THAT(parse({{0, 9}}), Refuses("cover 9 of 10 bytes"));
  EXPECT_THAT(parse({}), Refuses("cover 0 of 10 bytes"));
}

TEST(SafetensorsTest, RefusesNamesGivenTwice) {
  EXPECT_THAT(Parse(File(R"({"a":{"dtype":"U8","shape":[1],)"
                         R"("data_offsets":[0,1]},"a":{"dtype":"U8",)"
                         R"("shape":[1],"data_offsets":[0,1]}})",
                         "x")),
              Refuses("names \"a\" twice"));
  EXPECT_THAT(Parse(File(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],)"
                         R"("data_offsets":[0,1]}})",
                         "x")),
              Refuses("names \"dtype\" twice"));
  EXPECT_THAT(Parse(File(R"({"__metadata__":{"k":"1","k":"2"}})")),
              Refuses("names \"k\" twice"));
  // The same name spelled with an escape is the same name.
  EXPECT_THAT(Parse(File(R"({"__metadata__":{"k":"1","\u006b":"2"}})")),
              Refuses("twice"));
}

TEST(SafetensorsTest, RefusesMetadataThatIsNoMapOfStrings) {
  EXPECT_THAT(Parse(File(R"({"__metadata__":1})")), Refuses("__metadata__"));
  EXPECT_THAT(Parse(File(R"({"__metadata__":{"k":1}})")),
              Refuses("__metadata__ \"k\" must be a string"));
  EXPECT_THAT(Parse(File(R"({"__metadata__":{"k":null}})")),
              Refuses("\"k\" must be a string"));
}

TEST(SafetensorsTest, RefusesDeepNesting) {
  for (const int depth : {6, 100, 100000}) {
    for (const char* bracket : {"[", "{\"a\":"}) {
      std::string header = "{\"a\":";
      for (int i = 0; i < depth; ++i) header += bracket;
      EXPECT_FALSE(Parse(File(header)).ok());  // not closed
      header += "1";
      for (int i = 0; i < depth; ++i) header += bracket[0] == '[' ? "]" : "}";
      header += "}";
      EXPECT_THAT(Parse(File(header)), Refuses("nested too deeply"));
    }
  }
}

}  // namespace
}  // namespace mre
