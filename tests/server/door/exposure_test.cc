#include "server/door/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DoorOptions With(bool tls, bool tokens, bool authorities = false) {
  DoorOptions options;
  if (tls) options.tls_cert_file = "cert";
  if (tokens) options.token_file = "tokens";
  if (authorities) options.tls_client_ca_file = "ca";
  return options;
}

TEST(ExposureTest, NothingToSayOnLoopback) {
  for (const char* host : {"127.0.0.1", "::1", "localhost"}) {
    EXPECT_THAT(ExposureWarnings(With(false, false), host), IsEmpty());
    EXPECT_TRUE(CheckExposure(With(false, true), host).ok());
  }
}

TEST(ExposureTest, WarnsOfWhatAnybodyCanDo) {
  const auto clear = HasSubstr("--tls_cert_file");
  const auto open = HasSubstr("OPEN TO ANYBODY");
  EXPECT_THAT(ExposureWarnings(With(false, false), "0.0.0.0"),
              ElementsAre(clear, open));
  EXPECT_THAT(ExposureWarnings(With(false, true), "0.0.0.0"),
              ElementsAre(HasSubstr("tokens too")));
  EXPECT_THAT(ExposureWarnings(With(true, false), "::"), ElementsAre(open));
  EXPECT_THAT(ExposureWarnings(With(true, true), "::"), IsEmpty());
  EXPECT_THAT(ExposureWarnings(With(true, false, /*authorities=*/true), "::"),
              IsEmpty());
}

TEST(ExposureTest, TokensDoNotTravelInTheClear) {
  EXPECT_TRUE(CheckExposure(With(false, false), "0.0.0.0").ok());
  EXPECT_TRUE(CheckExposure(With(true, true), "0.0.0.0").ok());
  DoorOptions options = With(false, true);
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckExposure(options, "0.0.0.0")));
  options.allow_plaintext_tokens = true;
  EXPECT_TRUE(CheckExposure(options, "0.0.0.0").ok());
}

}  // namespace
}  // namespace mre
