#include "server/repository/repository.h"

#include <filesystem>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RepositoryTest : public testing::Test {
 protected:
  static constexpr int64_t kAnyRow = INT64_MAX;

  void Add(const std::string& name, int64_t version) {
    ASSERT_THAT(WriteToRepository(root_.path(), name, version,
                                  RandomModel(RandomConfig(1), version)),
                IsOk());
  }
  void AddDamaged(const std::string& name, int64_t version) {
    Add(name, version);
    ASSERT_THAT(
        WriteFileAtomically(root_.File(name + "/" + std::to_string(version) +
                                       "/model.safetensors"),
                            "damaged"),
        IsOk());
  }
  absl::StatusOr<std::unique_ptr<const Repository>> Load() {
    return Repository::Load(root_.path(), Precision::kF32, kAnyRow);
  }

  TempDir root_;
};

TEST_F(RepositoryTest, FindsVersionsAndTheNewestByDefault) {
  Add("a", 1);
  Add("a", 10);
  Add("a", 9);
  Add("b", 2);
  ASSERT_OK_AND_ASSIGN(const auto repository, Load());
  EXPECT_EQ(repository->List().size(), 4u);
  EXPECT_EQ((*repository->Find("a", 0))->version, 10);
  EXPECT_EQ((*repository->Find("a", 9))->version, 9);
  EXPECT_EQ((*repository->Find("b", 0))->version, 2);
}

TEST_F(RepositoryTest, SaysWhatThereIsWhenSomethingIsNotFound) {
  Add("a", 1);
  Add("b", 3);
  ASSERT_OK_AND_ASSIGN(const auto repository, Load());
  EXPECT_THAT(repository->Find("c", 0),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("\"c\""), HasSubstr("a, b"))));
  EXPECT_THAT(repository->Find("b", 4),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("3")));
  EXPECT_THAT(
      repository->Find("b", -1),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model_version")));
}

TEST_F(RepositoryTest, ADamagedVersionIsListedAndTheOthersAreServed) {
  Add("a", 1);
  AddDamaged("a", 2);
  AddDamaged("b", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Load());
  EXPECT_EQ((*repository->Find("a", 0))->version, 1);
  EXPECT_THAT(
      repository->Find("a", 2),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("model.safetensors")));
  EXPECT_THAT(repository->Find("b", 0),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("b")));
  // What was refused can still be looked at.
  EXPECT_EQ((*repository->Get("a", 0))->version, 1);
  EXPECT_FALSE((*repository->Get("a", 2))->ready());
  EXPECT_THAT((*repository->Get("b", 0))->error, HasSubstr("b/1/model"));
}

TEST_F(RepositoryTest, RefusesARootWithNothingToServe) {
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound,
                               HasSubstr("model.safetensors")));
  AddDamaged("a", 1);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("refused")));
  EXPECT_THAT(Repository::Load(root_.File("nowhere"), Precision::kF32, kAnyRow),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
}

TEST_F(RepositoryTest, SaysThatAModelsDirectoryIsNoRepository) {
  const std::string hint = "did you mean its parent?";
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound,
                               testing::Not(HasSubstr(hint))));
  Add("a", 1);
  EXPECT_THAT(Repository::Load(root_.File("a"), Precision::kF32, kAnyRow),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(hint)));
}

TEST_F(RepositoryTest, RefusesAModelWhoseRowsTakeTooMuchMemory) {
  Add("a", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Load());
  const int64_t bytes = (*repository->Find("a", 1))->model->RowBytes();
  const auto load = [&](int64_t most) {
    return Repository::Load(root_.path(), Precision::kF32, most);
  };
  EXPECT_THAT(load(bytes), IsOk());
  EXPECT_FALSE(load(bytes - 1).ok());
}

TEST_F(RepositoryTest, IgnoresDirectoriesThatAreNoVersions) {
  Add("a", 1);
  for (const char* name : {"0", "01", "-1", "x", "1.5", "latest"}) {
    std::filesystem::create_directories(root_.File(std::string("a/") + name));
  }
  ASSERT_OK_AND_ASSIGN(const auto repository, Load());
  EXPECT_EQ(repository->List().size(), 1u);
}

TEST(ParseVersionTest, TakesPositiveIntegersWithoutLeadingZeros) {
  EXPECT_EQ(ParseVersion("1"), 1);
  EXPECT_EQ(ParseVersion("20260101"), 20260101);
  EXPECT_EQ(ParseVersion("9223372036854775807"), INT64_MAX);
  for (const char* bad : {"", "0", "01", "-1", "+1", "1 ", " 1", "1a", "1.0",
                          "9223372036854775808", "99999999999999999999"}) {
    EXPECT_EQ(ParseVersion(bad), 0) << '"' << bad << '"';
  }
}

TEST(IsModelNameTest, KeepsToASafeAlphabet) {
  EXPECT_TRUE(IsModelName("fashion-mnist"));
  EXPECT_TRUE(IsModelName("a.b_C-9"));
  for (const char* bad : {"", ".", "..", ".hidden", "a/b", "a b", "\xc3\xa9"}) {
    EXPECT_FALSE(IsModelName(bad)) << '"' << bad << '"';
  }
  EXPECT_FALSE(IsModelName(std::string(129, 'a')));
}

}  // namespace
}  // namespace mre
