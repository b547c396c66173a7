#include "server/repository/files.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::SizeIs;

class FilesTest : public testing::Test {
 protected:
  // A file of one version.
  void Add(const std::string& directory, const std::string& contents) {
    fs::create_directories(root_.File(directory));
    ASSERT_THAT(WriteFileAtomically(
                    root_.File(directory + "/model.safetensors"), contents),
                IsOk());
  }
  absl::StatusOr<std::string> Read(int64_t version) {
    return ReadModelFile(root_.path(), "a", version, &stamp_);
  }

  TempDir root_;
  FileStamp stamp_;
};

TEST_F(FilesTest, ListsVersionsAndSaysWhatItPassesOver) {
  Add("a/1", "one");
  Add("a/10", "ten");
  fs::create_directories(root_.File("a/3"));  // its file is not there yet
  for (const char* name : {"0", "01", "-1", "x", "1.5", "latest"}) {
    fs::create_directories(root_.File(std::string("a/") + name));
  }
  fs::create_directories(root_.File("no-versions/x"));
  fs::create_directories(root_.File(".hidden/1"));
  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, ScanRepository(root_.path()));
  EXPECT_THAT(scan.models, ElementsAre(Key("a")));
  EXPECT_THAT(scan.models.at("a"), ElementsAre(Key(1), Key(3), Key(10)));
  EXPECT_EQ(scan.models.at("a").at(3), FileStamp());
  EXPECT_THAT(scan.skipped, SizeIs(7));
  EXPECT_THAT(scan.skipped, Contains(HasSubstr("a/01: no version number")));
  EXPECT_THAT(scan.skipped, Contains(HasSubstr(".hidden: not a model name")));
}

TEST_F(FilesTest, FollowsNoLinkBelowTheRoot) {
  TempDir elsewhere;
  fs::create_directories(elsewhere.File("1"));
  ASSERT_THAT(WriteFileAtomically(elsewhere.File("1/model.safetensors"), "x"),
              IsOk());
  Add("a/1", "one");
  fs::create_directory_symlink(elsewhere.path(), root_.File("b"));
  fs::create_directory_symlink(elsewhere.File("1"), root_.File("a/2"));
  fs::create_directories(root_.File("a/3"));
  fs::create_symlink(elsewhere.File("1/model.safetensors"),
                     root_.File("a/3/model.safetensors"));

  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, ScanRepository(root_.path()));
  EXPECT_THAT(scan.models, ElementsAre(Key("a")));
  EXPECT_THAT(scan.models.at("a"), ElementsAre(Key(1), Key(3)));
  EXPECT_THAT(scan.skipped, Contains(HasSubstr("b: a link")));
  EXPECT_THAT(scan.skipped, Contains(HasSubstr("a/2: a link")));
  EXPECT_FALSE(Read(2).ok());
  EXPECT_THAT(Read(3), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("is a link")));
  // The root itself may be one.
  const std::string link = elsewhere.File("root");
  fs::create_directory_symlink(root_.path(), link);
  EXPECT_EQ(ReadModelFile(link, "a", 1, &stamp_).value(), "one");
}

TEST_F(FilesTest, TheStampIsOfTheFileThatWasRead) {
  Add("a/1", "one");
  EXPECT_EQ(Read(1).value(), "one");
  const FileStamp first = stamp_;
  EXPECT_EQ(ScanRepository(root_.path())->models.at("a").at(1), first);
  Add("a/1", "two");
  EXPECT_NE(ScanRepository(root_.path())->models.at("a").at(1), first);
  EXPECT_EQ(Read(1).value(), "two");
}

TEST_F(FilesTest, RefusesWhatIsNoFile) {
  fs::create_directories(root_.File("a/1/model.safetensors"));
  EXPECT_THAT(Read(1), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("not a regular file")));
  fs::create_directories(root_.File("a/2"));
  ASSERT_EQ(mkfifo(root_.File("a/2/model.safetensors").c_str(), 0600), 0);
  EXPECT_THAT(Read(2), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("not a regular file")));
  EXPECT_THAT(Read(3), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(FilesTest, RefusesWhatClaimsMoreThanTheMemory) {
  Add("a/1", "one");
  // A hole: it takes nothing on the disk.
  fs::resize_file(root_.File("a/1/model.safetensors"), int64_t{1} << 43);
  EXPECT_THAT(Read(1), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("8796093022208 bytes")));
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

}  // namespace
}  // namespace mre
