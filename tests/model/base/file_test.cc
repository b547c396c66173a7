#include "model/base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> NamesIn(const TempDir& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string TextOf(const MappedFile& file) {
  return std::string(reinterpret_cast<const char*>(file.bytes().data()),
                     file.bytes().size());
}

TEST(MappedFileTest, ShowsTheFilesBytes) {
  const TempDir dir;
  const std::string text("a\0b\nc", 5);
  ASSERT_THAT(WriteFileAtomically(dir.File("f"), text), IsOk());
  ASSERT_OK_AND_ASSIGN(const MappedFile file, MappedFile::Open(dir.File("f")));
  EXPECT_EQ(TextOf(file), text);
}

TEST(MappedFileTest, OpensAnEmptyFile) {
  const TempDir dir;
  ASSERT_THAT(WriteFileAtomically(dir.File("empty"), ""), IsOk());
  ASSERT_OK_AND_ASSIGN(const MappedFile file,
                       MappedFile::Open(dir.File("empty")));
  EXPECT_TRUE(file.bytes().empty());
  EXPECT_THAT(ReadFile(dir.File("empty")), IsOkAndHolds(""));
}

TEST(MappedFileTest, SaysWhichFileIsMissing) {
  const TempDir dir;
  EXPECT_THAT(MappedFile::Open(dir.File("none")),
              StatusIs(StatusCode::kNotFound, HasSubstr(dir.File("none"))));
  EXPECT_THAT(ReadFile(dir.File("none")), StatusIs(StatusCode::kNotFound));
  ASSERT_THAT(WriteFileAtomically(dir.File("long"), "0123456789"), IsOk());
  EXPECT_THAT(ReadFile(dir.File("long"), 4), IsOkAndHolds("0123"));
  EXPECT_THAT(ReadFile(dir.File("long"), 11), IsOkAndHolds("0123456789"));
}

TEST(MappedFileTest, RefusesADirectory) {
  const TempDir dir;
  EXPECT_THAT(
      MappedFile::Open(dir.path()),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("regular file")));
}

TEST(MappedFileTest, RefusesAPipeWithoutWaitingForAWriter) {
  const TempDir dir;
  ASSERT_EQ(mkfifo(dir.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(
      MappedFile::Open(dir.File("pipe")),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("regular file")));
}

TEST(MappedFileTest, RefusesADevice) {
  EXPECT_THAT(MappedFile::Open("/dev/zero"),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(MappedFileTest, MovesKeepTheBytes) {
  const TempDir dir;
  ASSERT_THAT(WriteFileAtomically(dir.File("a"), "aaaa"), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir.File("b"), "bb"), IsOk());
  ASSERT_OK_AND_ASSIGN(MappedFile a, MappedFile::Open(dir.File("a")));
  ASSERT_OK_AND_ASSIGN(MappedFile b, MappedFile::Open(dir.File("b")));
  MappedFile moved = std::move(a);
  EXPECT_EQ(TextOf(moved), "aaaa");
  b = std::move(moved);
  EXPECT_EQ(TextOf(b), "aaaa");
}

TEST(MappedFileTest, KeepsOldBytesWhenTheFileIsReplaced) {
  const TempDir dir;
  ASSERT_THAT(WriteFileAtomically(dir.File("f"), "old"), IsOk());
  ASSERT_OK_AND_ASSIGN(const MappedFile file, MappedFile::Open(dir.File("f")));
  ASSERT_THAT(WriteFileAtomically(dir.File("f"), "newer"), IsOk());
  EXPECT_EQ(TextOf(file), "old");
  EXPECT_THAT(ReadFile(dir.File("f")), IsOkAndHolds("newer"));
}

TEST(WriteFileAtomicallyTest, LeavesNothingBesideTheFile) {
  const TempDir dir;
  ASSERT_THAT(WriteFileAtomically(dir.File("f"), "one"), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir.File("f"), "two"), IsOk());
  EXPECT_THAT(NamesIn(dir), ElementsAre("f"));
  EXPECT_THAT(ReadFile(dir.File("f")), IsOkAndHolds("two"));
}

TEST(WriteFileAtomicallyTest, LeavesNothingWhenItFails) {
  const TempDir dir;
  ASSERT_TRUE(std::filesystem::create_directory(dir.File("taken")));
  std::ofstream(dir.File("taken/file")) << "x";
  EXPECT_FALSE(WriteFileAtomically(dir.File("taken"), "new").ok());
  EXPECT_THAT(NamesIn(dir), ElementsAre("taken"));
}

TEST(WriteFileAtomicallyTest, SaysThatTheDirectoryIsMissing) {
  const TempDir dir;
  EXPECT_THAT(WriteFileAtomically(dir.File("no/f"), "x"),
              StatusIs(StatusCode::kNotFound, HasSubstr("no/f")));
}

// What a crash leaves behind must neither look like the file nor be in the way
// of the next write.
TEST(WriteFileAtomicallyTest, OutlivesLeftoversOfACrash) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const std::string leftover = path + ".tmp." + std::to_string(getpid()) + ".1";
  std::ofstream(leftover) << "half of a much longer file than the new one";
  ASSERT_THAT(WriteFileAtomically(path, "whole"), IsOk());
  EXPECT_THAT(ReadFile(path), IsOkAndHolds("whole"));
}

// Readers see one writer's whole bytes at any moment, even while two writers
// replace the same path.
TEST(WriteFileAtomicallyTest, ReadersSeeWholeFilesWhileWritersRace) {
  const TempDir dir;
  const std::string path = dir.File("f");
  const auto contents = [](char c) {
    return std::string(c == 'a' ? 200000 : 120000, c);
  };
  ASSERT_THAT(WriteFileAtomically(path, contents('a')), IsOk());
  std::atomic<int> running = 2;
  std::atomic<int> failed = 0;
  std::vector<std::thread> writers;
  for (const char c : {'a', 'b'}) {
    writers.emplace_back([&, c] {
      for (int i = 0; i < 100; ++i) {
        if (!WriteFileAtomically(path, contents(c)).ok()) ++failed;
      }
      --running;
    });
  }
  int torn = 0;
  while (running > 0) {
    const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
    if (!file.ok()) {
      ++torn;
      continue;
    }
    const std::string text = TextOf(*file);
    torn += text != contents('a') && text != contents('b');
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(NamesIn(dir), ElementsAre("f"));
}

TEST(TryWritingTest, LeavesEverythingAsItWas) {
  const TempDir dir;
  ASSERT_THAT(WriteFileAtomically(dir.File("f"), "old"), IsOk());
  EXPECT_THAT(TryWriting(dir.File("f")), IsOk());
  EXPECT_THAT(TryWriting(dir.File("g")), IsOk());
  EXPECT_THAT(NamesIn(dir), ElementsAre("f"));
  EXPECT_THAT(ReadFile(dir.File("f")), IsOkAndHolds("old"));
}

TEST(TryWritingTest, FailsWhereNoFileCanBeMade) {
  const TempDir dir;
  EXPECT_THAT(TryWriting(dir.File("nowhere/f")),
              StatusIs(StatusCode::kNotFound, HasSubstr("nowhere/f")));
  // Root may write into every directory of a disk, but not here.
  EXPECT_FALSE(TryWriting("/proc/f").ok());
}

}  // namespace
}  // namespace mre
