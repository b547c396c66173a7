// One line of the log for a call that ended.
#ifndef MRE_SERVER_SERVICE_REQUEST_LOG_H_
#define MRE_SERVER_SERVICE_REQUEST_LOG_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "server/service/line_limit.h"

namespace mre {

enum class LoggedRequests {
  kNone,
  kErrors,  // those that failed and were not cancelled by their client
  kAll,
};

// What a line says of one call. Views, of the call's own; what is empty or 0 is
// left out, but for `steps` and `queued` where there are `rows`, and texts are
// cut where they are very long.
struct RequestLine {
  absl::string_view method = "";
  absl::string_view model = "";
  int64_t version = 0;
  grpc::StatusCode code = grpc::StatusCode::OK;
  absl::string_view error = "";                  // the status' message
  uint32_t rows = 0;                             // of a request that was right
  uint64_t steps = 0;                            // of its rows that ended
  absl::Duration queued = absl::ZeroDuration();  // the row that waited longest
  absl::Duration total = absl::ZeroDuration();
  absl::string_view request_id = "";  // in the message; else see Write
  absl::string_view client = "";      // the name of its token
};

// Thread-safe.
class RequestLog {
 public:
  // Lines a second of requests that failed under kErrors; the others are
  // counted in one line more.
  static constexpr int64_t kErrorsASecond = 10;

  explicit RequestLog(LoggedRequests which, const Clock* clock = Clock::Real())
      : which_(which), clock_(clock) {}

  // Whether a call that ended so gets a line; if it is only for the limit that
  // it does not, it is counted. Cheap for a call that went well.
  bool Takes(grpc::StatusCode code);

  // The line, with what the call's metadata add: the peer, the ids of a valid
  // `traceparent`, and `x-request-id` where the message has no request_id. Null
  // `rpc`: without them.
  static void Write(const RequestLine& line,
                    const grpc::ServerContextBase* rpc);

  // Says how many lines were left out, if any; to be called once a second.
  void TellLeftOut();

 private:
  const LoggedRequests which_;
  const Clock* const clock_;
  absl::Mutex mu_;
  LineLimit limit_ ABSL_GUARDED_BY(mu_){kErrorsASecond};
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_REQUEST_LOG_H_
