#include "server/service/request_log.h"

#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/base/log.h"
#include "server/service/trace_context.h"

namespace mre {
namespace {

// Bytes of a text that a line repeats: most are short, but an id may be as long
// as its client likes.
constexpr size_t kLongestText = 512;

// A header's only value; none when it is missing, or there more than once, for
// then nobody can say which is meant.
absl::string_view Header(const grpc::ServerContextBase& rpc, const char* name) {
  const auto [begin, end] = rpc.client_metadata().equal_range(name);
  if (begin == end || std::next(begin) != end) return "";
  return {begin->second.data(), begin->second.size()};
}

Severity SeverityOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
      return Severity::kInfo;
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DATA_LOSS:
      return Severity::kError;
    default:
      return Severity::kWarning;
  }
}

}  // namespace

bool RequestLog::Takes(grpc::StatusCode code) {
  if (which_ == LoggedRequests::kAll) return true;
  if (which_ == LoggedRequests::kNone || code == grpc::StatusCode::OK ||
      code == grpc::StatusCode::CANCELLED) {
    return false;
  }
  absl::MutexLock lock(&mu_);
  return limit_.Take(clock_->Now());
}

void RequestLog::Write(const RequestLine& line,
                       const grpc::ServerContextBase* rpc) {
  std::vector<LogField> fields = {{"method", line.method}};
  const auto add = [&](absl::string_view key, absl::string_view text) {
    if (!text.empty()) fields.emplace_back(key, text.substr(0, kLongestText));
  };
  add("model", line.model);
  if (line.version != 0) fields.emplace_back("version", line.version);
  const std::string code =
      absl::StatusCodeToString(static_cast<absl::StatusCode>(line.code));
  fields.emplace_back("code", code);
  add("error", line.error);
  if (line.rows != 0) {
    fields.emplace_back("rows", line.rows);
    fields.emplace_back("steps", line.steps);
    fields.emplace_back("queued_ms", absl::ToDoubleMilliseconds(line.queued));
  }
  fields.emplace_back("total_ms", absl::ToDoubleMilliseconds(line.total));
  absl::string_view request_id = line.request_id;
  std::string peer;
  if (rpc != nullptr) {
    if (request_id.empty()) request_id = Header(*rpc, "x-request-id");
    peer = rpc->peer();
  }
  add("request_id", request_id);
  add("client", line.client);
  if (rpc != nullptr) {
    if (const auto parent = ParseTraceParent(Header(*rpc, "traceparent"))) {
      add("trace_id", parent->trace_id);
      add("parent_id", parent->parent_id);
    }
  }
  add("peer", peer);
  Log(SeverityOf(line.code), "request", fields);
}

void RequestLog::TellLeftOut() {
  int64_t left_out = 0;
  {
    absl::MutexLock lock(&mu_);
    left_out = limit_.TakeLeftOut();
  }
  if (left_out == 0) return;
  Log(Severity::kWarning, "more requests failed than there are lines",
      {{"requests", left_out}});
}

}  // namespace mre
