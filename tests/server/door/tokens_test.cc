#include "server/door/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "s3cret-0123456789";

// A file with one entry, its members as given.
std::string File(absl::string_view members) {
  return absl::StrCat("{\"tokens\": [{", members, "}]}");
}

std::string Error(absl::string_view text) {
  const auto tokens = ParseTokens(text);
  if (tokens.ok()) return "no error";
  EXPECT_TRUE(absl::IsInvalidArgument(tokens.status()));
  return std::string(tokens.status().message());
}

TEST(TokensTest, ReadsAFile) {
  const std::string hash =
      "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824";
  const auto tokens = ParseTokens(
      absl::StrCat(R"({"tokens": [{"name": "phone", "token": ")", kSecret,
                   R"(", "scopes": ["infer"], "requests_per_second": 2.5},
          {"name": "boss-1", "sha256": ")",
                   hash, R"(", "scopes": ["admin", "infer"],
           "requests_per_second": 1, "burst": 20}]})"));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ASSERT_EQ(tokens->size(), 2u);
  const Token& phone = tokens->at(0);
  EXPECT_EQ(phone.name, "phone");
  EXPECT_EQ(phone.sha256, Sha256Of(kSecret));
  EXPECT_TRUE(phone.may(Scope::kInfer));
  EXPECT_FALSE(phone.may(Scope::kAdmin));
  EXPECT_EQ(phone.requests_per_second, 2.5);
  EXPECT_EQ(phone.burst, 3);
  const Token& boss = tokens->at(1);
  EXPECT_EQ(boss.sha256, Sha256Of("hello"));
  EXPECT_TRUE(boss.may(Scope::kInfer));
  EXPECT_TRUE(boss.may(Scope::kAdmin));
  EXPECT_EQ(boss.burst, 20);
}

TEST(TokensTest, FindsWhoseHashItIs) {
  std::vector<Token> tokens(3);
  for (int i = 0; i < 3; ++i) tokens[i].sha256 = Sha256Of(absl::StrCat(i));
  EXPECT_EQ(FindToken(tokens, Sha256Of("0")), 0);
  EXPECT_EQ(FindToken(tokens, Sha256Of("2")), 2);
  EXPECT_EQ(FindToken(tokens, Sha256Of("3")), -1);
  Sha256 near = Sha256Of("1");
  near.back() ^= 1;
  EXPECT_EQ(FindToken(tokens, near), -1);
  EXPECT_EQ(FindToken({}, near), -1);
}

TEST(TokensTest, TakesTheTokenOutOfTheHeader) {
  EXPECT_EQ(BearerToken("Bearer abc"), "abc");
  EXPECT_EQ(BearerToken("bearer  abc "), "abc");
  EXPECT_EQ(BearerToken("Basic abc"), "");
  EXPECT_EQ(BearerToken("Bearer"), "");
  EXPECT_EQ(BearerToken("Bearer "), "");
  EXPECT_EQ(BearerToken(""), "");
}

TEST(TokensTest, ErrorsNameTheEntryAndNeverTheSecret) {
  const std::string token = absl::StrCat("\"token\": \"", kSecret, "\"");
  const std::string who = "\"name\": \"phone\", ";
  const std::string infer = ", \"scopes\": [\"infer\"]";
  const struct {
    std::string members;
    std::string words;
  } cases[] = {
      {token + infer, "\"name\" is missing"},
      {"\"name\": \"\", " + token + infer, "\"name\": expected 1 to 64"},
      {"\"name\": \"a b\", " + token + infer, "\"name\": expected 1 to 64"},
      {who + "\"scopes\": [\"infer\"]", "either \"token\" or \"sha256\""},
      {who + token + ", \"sha256\": \"00\"" + infer, "either \"token\""},
      {who + "\"token\": \"s3cret-short\"" + infer, "got 12 bytes"},
      {who + "\"token\": \"s3cret with spaces\"" + infer, "no spaces"},
      {who + "\"token\": 17" + infer, "expected a text"},
      {who + "\"sha256\": \"s3cret\"" + infer, "64 hex digits"},
      {who + token, "\"scopes\" is missing"},
      {who + token + ", \"scopes\": []", "\"infer\", \"admin\" or both"},
      {who + token + ", \"scopes\": [\"s3cret\"]", "\"infer\", \"admin\""},
      {who + token + ", \"scopes\": [\"infer\", \"infer\"]", "or both"},
      {who + token + infer + ", \"burst\": 3", "needs \"requests_per_second\""},
      {who + token + infer + ", \"requests_per_second\": 0", "0.001 to 1e9"},
      {who + token + infer + ", \"requests_per_second\": 1, \"burst\": 0.5",
       "\"burst\": expected 1 to 1e9"},
      {who + token + infer + ", \"s3cret\": 1", "a member is not known"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(Error(File(one.members)),
                AllOf(HasSubstr("tokens[0]"), HasSubstr(one.words),
                      Not(HasSubstr("s3cret"))))
        << one.members;
  }
}

TEST(TokensTest, RefusesWhatIsNoTokenFile) {
  for (const std::string text :
       {"", "[]", "{}", "{\"tokens\": []}", "{\"tokens\": {}}", "s3cret",
        "{\"tokens\": [1], \"s3cret\": 1}", "{\"tokens\": [\"s3cret\"]}"}) {
    EXPECT_THAT(Error(text),
                AllOf(HasSubstr("expected"), Not(HasSubstr("s3cret"))))
        << text;
  }
  EXPECT_THAT(Error(std::string(kMaxTokenFileBytes + 1, ' ')),
              HasSubstr("at most"));
  std::string many = "{\"tokens\": [0";
  for (size_t i = 0; i < kMaxTokens; ++i) many += ",0";
  EXPECT_THAT(Error(many + "]}"), HasSubstr("1 to 1000"));
  EXPECT_THAT(Error(std::string(1000, '[')), HasSubstr("deep"));
}

TEST(TokensTest, RefusesTwoThatAreTheSame) {
  const auto entry = [](absl::string_view name, absl::string_view secret) {
    return absl::StrCat("{\"name\": \"", name, "\", ", secret,
                        ", \"scopes\": [\"infer\"]}");
  };
  const std::string token = absl::StrCat("\"token\": \"", kSecret, "\"");
  const Sha256 hash = Sha256Of(kSecret);
  const std::string hex = absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(hash.data()), hash.size()));
  EXPECT_THAT(Error(absl::StrCat(
                  "{\"tokens\": [", entry("a", token), ",",
                  entry("a", "\"token\": \"another-0123456789\""), "]}")),
              AllOf(HasSubstr("tokens[1]"), HasSubstr("that of tokens[0]")));
  // As a token and as its hash.
  EXPECT_THAT(Error(absl::StrCat(
                  "{\"tokens\": [", entry("a", token), ",",
                  entry("b", absl::StrCat("\"sha256\": \"", hex, "\"")), "]}")),
              AllOf(HasSubstr("\"b\""), HasSubstr("that of \"a\"")));
}

}  // namespace
}  // namespace mre
