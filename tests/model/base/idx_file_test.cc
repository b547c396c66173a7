#include "model/base/idx_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "model/base/file.h"
#include "tests/support/gzip.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kMost = 1000;

class IdxFileTest : public ::testing::Test {
 protected:
  // Reads a file of these bytes.
  absl::StatusOr<Idx> Read(const std::string& bytes) {
    EXPECT_THAT(WriteFileAtomically(path_, bytes), IsOk());
    return ReadIdxFile(path_, kMost);
  }
  // An error that names the file and says `why`.
  auto IsError(absl::StatusCode code, const std::string& why) const {
    return StatusIs(code, AllOf(HasSubstr(path_), HasSubstr(why)));
  }

  TempDir dir_;
  const std::string path_ = dir_.File("labels");
};

// A file of `count` labels, at most 65535.
std::string Labels(size_t count) {
  return std::string({0, 0, 8, 1, 0, 0, static_cast<char>(count >> 8),
                      static_cast<char>(count & 0xff)}) +
         std::string(count, '\x03');
}

TEST_F(IdxFileTest, ReadsTheSameFromPlainAndGzippedFiles) {
  ASSERT_OK_AND_ASSIGN(const Idx plain, Read(Labels(5)));
  ASSERT_OK_AND_ASSIGN(const Idx packed, Read(Gzip(Labels(5))));
  EXPECT_EQ(plain.count, 5u);
  EXPECT_EQ(packed.count, 5u);
  EXPECT_EQ(plain.data, packed.data);
}

TEST_F(IdxFileTest, ErrorsNameTheFile) {
  EXPECT_THAT(ReadIdxFile(path_, kMost),
              IsError(absl::StatusCode::kNotFound, "labels"));
  EXPECT_THAT(Read("PNG!"),
              IsError(absl::StatusCode::kInvalidArgument, "two zero bytes"));
  const std::string packed = Gzip(Labels(5));
  EXPECT_THAT(Read(packed.substr(0, packed.size() - 9)),
              IsError(absl::StatusCode::kInvalidArgument, "gzip"));
}

TEST_F(IdxFileTest, UnpacksToTheLimitAndNoFurther) {
  EXPECT_THAT(Read(Gzip(Labels(kMost - 8))), IsOk());
  EXPECT_THAT(Read(Gzip(Labels(kMost - 7))),
              IsError(absl::StatusCode::kResourceExhausted, "1000"));
}

}  // namespace
}  // namespace mre
