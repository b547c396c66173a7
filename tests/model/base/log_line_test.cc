#include "model/base/log_line.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/base/rng.h"

namespace mre {
namespace {

// 2026-01-31 12:00:00.000456 UTC.
const absl::Time kTime = absl::FromUnixMicros(1769860800000456);

std::string Text(absl::string_view message,
                 absl::Span<const LogField> fields = {}) {
  return LogLine(LogFormat::kText, Severity::kWarning, kTime, message, fields);
}

std::string Json(absl::string_view message,
                 absl::Span<const LogField> fields = {}) {
  return LogLine(LogFormat::kJson, Severity::kError, kTime, message, fields);
}

TEST(LogLineTest, TextAndJsonSayTheSame) {
  const std::vector<LogField> fields = {{"model", "m"},
                                        {"version", 3},
                                        {"share", 0.25},
                                        {"most", uint64_t{1} << 63},
                                        {"least", int64_t{-1}}};
  EXPECT_EQ(Text("loaded", fields),
            "W 2026-01-31T12:00:00.000Z loaded model=m version=3 share=0.25 "
            "most=9223372036854775808 least=-1\n");
  EXPECT_EQ(Json("loaded", fields),
            "{\"time\":\"2026-01-31T12:00:00.000456Z\",\"severity\":\"ERROR\","
            "\"message\":\"loaded\",\"model\":\"m\",\"version\":3,"
            "\"share\":0.25,\"most\":9223372036854775808,\"least\":-1}\n");
}

TEST(LogLineTest, AValueCannotBeTakenForFields) {
  EXPECT_EQ(Text("x", {{"a", "b c=d"}, {"e", ""}, {"f", "\"\n"}}),
            "W 2026-01-31T12:00:00.000Z x a=\"b c=d\" e=\"\" "
            "f=\"\\\"\\n\"\n");
}

TEST(LogLineTest, MessagesCannotForgeLines) {
  EXPECT_EQ(Text("a\nE b\r\x1b[31m\x7f\tc\xc3\xa9"),
            "W 2026-01-31T12:00:00.000Z a?E b??[31m??c\xc3\xa9\n");
}

TEST(LogLineTest, JsonReplacesWhatIsNoUtf8) {
  const auto message = [](absl::string_view text) {
    return nlohmann::json::parse(Json(text))["message"].get<std::string>();
  };
  EXPECT_EQ(message("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"\\\x01\x7f"),
            "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"\\\x01\x7f");
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(message("\xff"), bad);
  EXPECT_EQ(message("\xc3"), bad);                                // cut short
  EXPECT_EQ(message("\xc0\xaf"), bad + bad);                      // too long
  EXPECT_EQ(message("\xe0\x80\xaf"), bad + bad + bad);            // too long
  EXPECT_EQ(message("\xed\xa0\x80"), bad + bad + bad);            // a surrogate
  EXPECT_EQ(message("\xf4\x90\x80\x80"), bad + bad + bad + bad);  // too large
  EXPECT_EQ(message("\x80z"), bad + "z");
}

TEST(LogLineTest, JsonIsValidForAnyBytes) {
  Rng rng(7);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(rng.Below(20), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.Below(256));
    const std::string line = Json(bytes, {{"key", bytes}});
    ASSERT_EQ(line.find('\n'), line.size() - 1);
    const auto json = nlohmann::json::parse(line, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << line;
    ASSERT_EQ(json["message"], json["key"]);
  }
}

TEST(LogLineTest, NumbersThatJsonLacksAreNull) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto json =
      nlohmann::json::parse(Json("x", {{"a", std::nan("")}, {"b", infinity}}));
  EXPECT_TRUE(json["a"].is_null());
  EXPECT_TRUE(json["b"].is_null());
}

}  // namespace
}  // namespace mre
