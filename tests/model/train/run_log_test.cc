#include "model/train/run_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/model/data/tiny_data.h"

namespace mre {
namespace {

class RunLogTest : public ::testing::Test {
 protected:
  RunLogTest()
      : path_(absl::StrCat(::testing::TempDir(), "run_log_test.jsonl.",
                           getpid())) {
    std::filesystem::remove(path_);
  }

  const std::string path_;
};

TEST_F(RunLogTest, ResumeDropsLaterAndTornLines) {
  WriteBytes(path_, "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"step\":4");
  auto log = RunLog::Resume(path_, 2);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE(log->Write("{\"step\":3,\"again\":true}").ok());
  EXPECT_EQ(*ReadFile(path_),
            "{\"step\":1}\n{\"step\":2}\n{\"step\":3,\"again\":true}\n");
}

TEST_F(RunLogTest, ResumeTellsTheSecondsOfTheLastLineThatIsKept) {
  WriteBytes(path_,
             "{\"step\":1,\"seconds\":1.5}\n{\"step\":2,\"seconds\":2.5}\n"
             "{\"step\":3,\"seconds\":3.5}\n");
  auto log = RunLog::Resume(path_, 2);
  ASSERT_TRUE(log.ok()) << log.status();
  RunLog moved;
  EXPECT_EQ(moved.seconds(), 0);
  moved = *std::move(log);
  EXPECT_EQ(moved.seconds(), 2.5);
}

TEST_F(RunLogTest, ResumeCreatesAMissingFile) {
  ASSERT_TRUE(RunLog::Resume(path_, 2).ok());
  EXPECT_EQ(*ReadFile(path_), "");
}

TEST_F(RunLogTest, ResumeLeavesOtherFilesAlone) {
  const std::string text = "dear diary\nit rains\n";
  WriteBytes(path_, text);
  EXPECT_EQ(RunLog::Resume(path_, 2).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*ReadFile(path_), text);
}

TEST_F(RunLogTest, CreateStartsAnew) {
  WriteBytes(path_, "{\"step\":1}\n");
  ASSERT_TRUE(RunLog::Create(path_).ok());
  EXPECT_EQ(*ReadFile(path_), "");
}

TEST(DefaultRunLogTest, WritesNowhere) {
  EXPECT_TRUE(RunLog().Write("{}").ok());
}

}  // namespace
}  // namespace mre
