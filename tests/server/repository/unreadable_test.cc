// What the server may not read, or cannot just now.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/descriptor.h"
#include "server/repository/files.h"
#include "tests/server/repository/repository_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/unprivileged.h"

namespace mre {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;

class UnreadableTest : public RepositoryTest {
 protected:
  UnreadableTest() {
    umask(022);
    Show("");
  }
  // A temporary directory may be closed to others, and root's rights may be
  // such that nothing can be closed to it.
  void SetUp() override {
    AddDirectory("probe", 1);
    Hide("probe");
    if (!CanRead("") || CanRead("probe")) {
      GTEST_SKIP() << "no user whom modes hold can read " << root_.path();
    }
    Show("probe");
    fs::remove_all(root_.File("probe"));
  }
  bool CanRead(const std::string& path) {
    const Unprivileged nobody;
    return Descriptor(open(root_.File(path).c_str(), O_RDONLY)).ok();
  }
  void Hide(const std::string& path) {
    fs::permissions(root_.File(path), fs::perms::none);
  }
  void Show(const std::string& path) {
    fs::permissions(root_.File(path), fs::perms(0755));
  }
  absl::StatusOr<std::unique_ptr<Repository>> Open() {
    const Unprivileged nobody;
    return RepositoryTest::Open();
  }
};

TEST_F(UnreadableTest, IsNotUnloaded) {
  options_.control = Repository::Control::kPoll;
  Add("a", 1);
  Add("b", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  for (const char* path : {"", "a", "a/1", "a/1/model.safetensors"}) {
    Hide(path);
    EXPECT_FALSE(CanRead(path));
    AwaitPolls();
    EXPECT_TRUE(repository->Find("a", 1).ok()) << path;
    EXPECT_TRUE(repository->Find("b", 1).ok()) << path;
    Show(path);
    AwaitPolls();
    EXPECT_TRUE(repository->Find("a", 1).ok()) << path;
  }
  fs::remove_all(root_.File("a"));
  EXPECT_TRUE(Await([&] { return !repository->Find("a", 1).ok(); }));
}

TEST_F(UnreadableTest, AVersionLeavesTheOneBefore) {
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  Add("a", 1);
  Add("a", 2);
  Hide("a/2");
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1));
  ASSERT_OK_AND_ASSIGN(const VersionStatus hidden, repository->Get("a", 2));
  EXPECT_EQ(hidden.state, VersionState::kFailed);
  EXPECT_THAT(hidden.reason,
              AllOf(HasSubstr("a/2"), HasSubstr("Permission denied")));
  EXPECT_THAT(repository->unreadable(), IsEmpty());

  options_.control = Repository::Control::kExplicit;
  options_.load_models = {"a"};
  ASSERT_OK_AND_ASSIGN(const auto explicitly, Open());
  EXPECT_THAT(Ready(*explicitly, "a"), ElementsAre(1));
  EXPECT_THAT(Load(*explicitly, "a"), StatusIs(absl::StatusCode::kUnavailable,
                                               HasSubstr("Permission denied")));
  Show("a/2");
  EXPECT_THAT(Load(*explicitly, "a"), IsOk());
  EXPECT_THAT(Ready(*explicitly, "a"), ElementsAre(2));
  // What is said of one that is served goes with its cause.
  Hide("a/2");
  EXPECT_FALSE(Load(*explicitly, "a").ok());
  EXPECT_THAT(explicitly->Get("a", 2)->reason, HasSubstr("Permission denied"));
  Show("a/2");
  EXPECT_THAT(Load(*explicitly, "a"), IsOk());
  EXPECT_EQ(explicitly->Get("a", 2)->reason, "");
}

TEST_F(UnreadableTest, AVersionIsServedWhenItCanBeRead) {
  options_.control = Repository::Control::kPoll;
  options_.versions.kind = VersionPolicy::Kind::kLatest;
  Add("a", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  const auto refused = [&] { return repository->load_counts()[0].refused; };
  ASSERT_EQ(mkdir(root_.File("a/2").c_str(), 0), 0);
  ASSERT_TRUE(Await([&] { return refused() == 1; }));
  AwaitPolls();
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1));
  // The file alone. It is said once, however often it is tried.
  fs::copy(Path("a", 1), root_.File("new"));
  Hide("new");
  Show("a/2");
  fs::rename(root_.File("new"), Path("a", 2));
  ASSERT_TRUE(Await([&] { return refused() == 2; }));
  AwaitPolls();
  EXPECT_EQ(refused(), 2);
  EXPECT_THAT(Ready(*repository, "a"), ElementsAre(1));
  Show("a/2/model.safetensors");
  EXPECT_TRUE(Await([&] { return repository->Find("a", 2).ok(); }));
}

TEST_F(UnreadableTest, AModelIsRefusedAtTheStart) {
  Add("a", 1);
  Hide("a");
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("all 1 models")));
  Add("b", 1);
  ASSERT_OK_AND_ASSIGN(const auto repository, Open());
  EXPECT_THAT(repository->unreadable(), ElementsAre(Key("a")));
  EXPECT_THAT(repository->unreadable().at("a"), HasSubstr("Permission denied"));
  EXPECT_TRUE(repository->Find("b", 1).ok());

  options_.control = Repository::Control::kExplicit;
  options_.load_models = {"a", "b"};
  ASSERT_OK_AND_ASSIGN(const auto explicitly, Open());
  EXPECT_TRUE(explicitly->Find("b", 1).ok());
  EXPECT_THAT(Load(*explicitly, "a"), StatusIs(absl::StatusCode::kUnavailable,
                                               HasSubstr("Permission denied")));
  Show("a");
  EXPECT_THAT(Load(*explicitly, "a"), IsOk());
}

TEST_F(UnreadableTest, ARootIsAnError) {
  Add("a", 1);
  Hide("");
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kUnavailable,
                               HasSubstr("Permission denied")));
  Show("");
}

TEST_F(UnreadableTest, SaysNothingAboutTheFile) {
  Add("a", 1);
  FileStamp stamp;
  EXPECT_THAT(ReadModelFile(root_.path(), "a", 1, &stamp), IsOk());
  EXPECT_NE(stamp, FileStamp());
  Hide("a/1/model.safetensors");
  const Unprivileged nobody;
  EXPECT_THAT(
      ReadModelFile(root_.path(), "a", 1, &stamp),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("Permission denied")));
  EXPECT_EQ(stamp, FileStamp());
}

}  // namespace
}  // namespace mre
