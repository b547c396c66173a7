// What the real `mre` says of a command line that is wrong, and its exit code.
// No server is needed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/client/temp_file.h"

namespace mre {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  int code = -1;
  std::string output;  // Of stdout and stderr.
};

// Runs `mre` with `flags`, which a shell splits.
Outcome Mre(const std::string& flags) {
  Outcome outcome;
  const std::string command =
      std::string("'" MRE_CLI_BINARY "' ") + flags + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  return outcome;
}

void ExpectUsageError(const std::string& flags, const std::string& what) {
  const Outcome outcome = Mre(flags);
  EXPECT_EQ(outcome.code, 2) << flags;
  EXPECT_THAT(outcome.output, StartsWith("mre: "));
  EXPECT_THAT(outcome.output, HasSubstr(what));
}

TEST(UsageTest, NamesWhatItDoesNotKnow) {
  ExpectUsageError("foo", "unknown command \"foo\"");
  ExpectUsageError("models foo", "unknown argument \"foo\"");
  ExpectUsageError("stream --bogus", "unknown argument \"--bogus\"");
  ExpectUsageError("", "subcommand is required");
  ExpectUsageError("stream --every=x", "--every");
}

TEST(UsageTest, NegativeNumbersOfImagesAreRefused) {
  const TempFile images(
      std::string("\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0\1x", 17));
  ExpectUsageError("stream --index -1 --idx " + images.path(),
                   "--index is \"-1\"");
}

TEST(UsageTest, AnAddressWithoutAPortIsRefusedAtOnce) {
  ExpectUsageError("health --server=localhost", "expected HOST:PORT");
}

TEST(UsageTest, HelpAndVersionAreNoErrors) {
  EXPECT_EQ(Mre("--help").code, 0);
  const Outcome help = Mre("stream --help");
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, HasSubstr("0: no limit"));
  const Outcome version = Mre("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.output, StartsWith("mre "));
}

}  // namespace
}  // namespace mre
