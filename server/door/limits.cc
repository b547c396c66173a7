#include "server/door/limits.h"

#include <grpc/impl/codegen/grpc_types.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace mre {
namespace {

// Models that are loaded, the metrics page, and gRPC's own.
constexpr int64_t kOtherFiles = 256;

// Milliseconds as gRPC wants them; 0 is never.
int Millis(double seconds) {
  if (seconds == 0) return std::numeric_limits<int>::max();
  return static_cast<int>(
      std::clamp(seconds * 1e3, 1.0,
                 static_cast<double>(std::numeric_limits<int>::max() - 1)));
}

}  // namespace

void ApplyLimits(const DoorOptions& options, int64_t largest_request,
                 grpc::ServerBuilder& builder) {
  const int64_t bytes = options.max_message_bytes != 0
                            ? options.max_message_bytes
                            : std::max<int64_t>(largest_request, 1 << 20);
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<int64_t>(bytes, 1 << 30)));
  const auto set = [&](const char* name, int value) {
    builder.AddChannelArgument(name, value);
  };
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams_per_connection);
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Millis(options.handshake_seconds));
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
      Millis(options.max_connection_idle_seconds));
  set(GRPC_ARG_MAX_CONNECTION_AGE_MS,
      Millis(options.max_connection_age_seconds));
  set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
      Millis(options.max_connection_age_grace_seconds));
  // Of the server: a client that has vanished is to be noticed, whether it has
  // a call open or not.
  set(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(options.keepalive_seconds));
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout_seconds));
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Of clients. Without the first, pings of a client that has no call open may
  // come every two hours only, whatever the second says.
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      options.min_ping_seconds == 0 ? 0 : Millis(options.min_ping_seconds));
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, options.max_ping_strikes);
}

int64_t RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kOtherFiles;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  // RLIM_INFINITY is larger than any.
  return static_cast<int64_t>(
      std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

int ConnectionLimit(int wanted, int64_t file_limit) {
  const int64_t room = file_limit - std::min(kOtherFiles, file_limit / 2);
  return static_cast<int>(
      std::clamp<int64_t>(wanted, 1, std::max<int64_t>(room, 1)));
}

}  // namespace mre
