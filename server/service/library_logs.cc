#include "server/service/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>
#include <vector>

#include "absl/base/const_init.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "model/base/log.h"
#include "server/service/line_limit.h"

namespace mre {
namespace {

constexpr int64_t kProtobufLinesASecond = 10;

void TakeGrpc(gpr_log_func_args* args) {
  const Severity severity = args->severity == GPR_LOG_SEVERITY_ERROR
                                ? Severity::kError
                                : Severity::kInfo;
  Log(severity, args->message,
      {{"source", absl::StrCat(args->file, ":", args->line)}});
}

// Protobuf's handler is a plain function, so its limit is one for the process.
absl::Mutex protobuf_mu(absl::kConstInit);
LineLimit protobuf_limit ABSL_GUARDED_BY(protobuf_mu){kProtobufLinesASecond};

void TakeProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                  const std::string& message) {
  int64_t left_out = 0;
  {
    absl::MutexLock lock(&protobuf_mu);
    const bool room = protobuf_limit.Take(Clock::Real()->Now());
    // After a fatal one the process ends.
    if (!room && level != google::protobuf::LOGLEVEL_FATAL) return;
    left_out = protobuf_limit.TakeLeftOut();
  }
  const Severity severity =
      level >= google::protobuf::LOGLEVEL_ERROR     ? Severity::kError
      : level == google::protobuf::LOGLEVEL_WARNING ? Severity::kWarning
                                                    : Severity::kInfo;
  const std::string source = absl::StrCat(file, ":", line);
  std::vector<LogField> fields = {{"source", source}};
  if (left_out > 0) fields.emplace_back("left_out", left_out);
  Log(severity, message, fields);
}

}  // namespace

void TakeLibraryLogs() {
  gpr_set_log_function(TakeGrpc);
  google::protobuf::SetLogHandler(TakeProtobuf);
}

}  // namespace mre
