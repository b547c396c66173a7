#include "client/cc/rpc_status.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cc/client.h"

namespace mre {
namespace {

constexpr char kPushbackKey[] = "grpc-retry-pushback-ms";
// The payload's content is the metadata's: milliseconds in decimal.
constexpr char kPushbackUrl[] = "mre/grpc-retry-pushback-ms";

// gRPC and absl number the canonical codes alike.
absl::StatusCode ToAbslCode(grpc::StatusCode code) {
  const int number = static_cast<int>(code);
  if (number < 0 || number > 16) return absl::StatusCode::kUnknown;
  return static_cast<absl::StatusCode>(number);
}

// Negative (gRPC: "do not retry") and malformed values say nothing.
std::optional<absl::Duration> ParsePushback(absl::string_view text) {
  int32_t ms;
  if (!absl::SimpleAtoi(text, &ms) || ms < 0) return std::nullopt;
  return absl::Milliseconds(ms);
}

}  // namespace

absl::Status FromRpcStatus(const grpc::Status& status,
                           absl::string_view pushback_ms) {
  if (status.ok()) return absl::OkStatus();
  const absl::StatusCode code = ToAbslCode(status.error_code());
  const auto pushback = ParsePushback(pushback_ms);
  if (!pushback.has_value()) return {code, status.error_message()};
  absl::Status result(code, absl::StrCat(status.error_message(),
                                         " (the server asks to retry after ",
                                         absl::FormatDuration(*pushback), ")"));
  result.SetPayload(kPushbackUrl, absl::Cord(pushback_ms));
  return result;
}

absl::Status FromRpcStatus(const grpc::Status& status,
                           const grpc::ClientContext& call) {
  if (status.ok()) return absl::OkStatus();
  const auto& metadata = call.GetServerTrailingMetadata();
  const auto found = metadata.find(kPushbackKey);
  if (found == metadata.end()) return FromRpcStatus(status, "");
  return FromRpcStatus(
      status, absl::string_view(found->second.data(), found->second.size()));
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kPushbackUrl);
  if (!payload.has_value()) return std::nullopt;
  return ParsePushback(std::string(*payload));
}

}  // namespace mre
