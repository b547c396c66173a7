#include "server/door/token_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::HasSubstr;

Token Make(absl::string_view name, bool infer, bool admin) {
  return {.name = std::string(name),
          .sha256 = Sha256Of(name),
          .infer = infer,
          .admin = admin};
}

absl::StatusCode Code(const TokenBook& book, absl::string_view authorization,
                      Scope scope) {
  return book.Find(authorization, scope).status().code();
}

TEST(TokenBookTest, TellsWhoMayDoWhat) {
  const TokenBook book({Make("phone", true, false), Make("boss", false, true)});
  const auto phone = book.Find("Bearer phone", Scope::kInfer);
  ASSERT_TRUE(phone.ok());
  EXPECT_EQ((*phone)->name, "phone");
  EXPECT_TRUE(book.Find("Bearer boss", Scope::kAdmin).ok());
  EXPECT_EQ(Code(book, "Bearer phone", Scope::kAdmin),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(book, "Bearer boss", Scope::kInfer),
            absl::StatusCode::kPermissionDenied);
  for (const char* nobody : {"", "phone", "Bearer", "Bearer phon", "Basic x"}) {
    EXPECT_EQ(Code(book, nobody, Scope::kInfer),
              absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(Code(book, nobody, Scope::kAdmin),
              absl::StatusCode::kUnauthenticated);
  }
  EXPECT_THAT(book.Find("Bearer s3cret", Scope::kInfer).status().message(),
              ::testing::Not(HasSubstr("s3cret")));
}

TEST(TokenBookTest, WithoutAnAdminNobodyIsOne) {
  const TokenBook book({Make("phone", true, false)});
  for (const char* anybody : {"", "Bearer phone", "Bearer x"}) {
    const auto found = book.Find(anybody, Scope::kAdmin);
    EXPECT_TRUE(absl::IsPermissionDenied(found.status()));
    EXPECT_THAT(found.status().message(), HasSubstr("--token_file"));
  }
}

TEST(TokenBookTest, EachTokenHasItsOwnRate) {
  Token slow = Make("slow", true, false);
  slow.requests_per_second = 1;
  slow.burst = 1;
  Token other = slow;
  other.name = "other";
  other.sha256 = Sha256Of("other");
  TokenBook book({slow, other, Make("free", true, false)});
  const absl::Time now = absl::FromUnixSeconds(1000);
  const Token* slow_one = *book.Find("Bearer slow", Scope::kInfer);
  const Token* other_one = *book.Find("Bearer other", Scope::kInfer);
  const Token* free_one = *book.Find("Bearer free", Scope::kInfer);
  EXPECT_EQ(book.Take(*slow_one, now), absl::ZeroDuration());
  EXPECT_GT(book.Take(*slow_one, now), absl::ZeroDuration());
  EXPECT_EQ(book.Take(*other_one, now), absl::ZeroDuration());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(book.Take(*free_one, now), absl::ZeroDuration());
  }
}

}  // namespace
}  // namespace mre
