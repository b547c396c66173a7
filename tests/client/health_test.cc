#include "client/cc/health.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"

namespace mre {
namespace {

TEST(HealthTest, RequestIsTheServiceAsFieldOne) {
  EXPECT_EQ(EncodeHealthRequest(""), "");
  EXPECT_EQ(EncodeHealthRequest("mre"), "\x0a\x03mre");
}

TEST(HealthTest, ResponseIsTheStatusAsFieldOne) {
  EXPECT_EQ(DecodeHealthResponse("").value(), ServingStatus::kUnknown);
  EXPECT_EQ(DecodeHealthResponse(std::string("\x08\x00", 2)).value(),
            ServingStatus::kUnknown);
  EXPECT_EQ(DecodeHealthResponse("\x08\x01").value(), ServingStatus::kServing);
  EXPECT_EQ(DecodeHealthResponse("\x08\x02").value(),
            ServingStatus::kNotServing);
  EXPECT_EQ(DecodeHealthResponse("\x08\x03").value(), ServingStatus::kUnknown);
}

TEST(HealthTest, FieldsOfLaterVersionsAreSkipped) {
  EXPECT_EQ(DecodeHealthResponse("\x12\x01x\x08\x01").value(),
            ServingStatus::kServing);
}

TEST(HealthTest, RefusesBytesThatAreNoResponse) {
  EXPECT_EQ(DecodeHealthResponse("\x08").status().code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(DecodeHealthResponse("\x0a\x01x").status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace mre
