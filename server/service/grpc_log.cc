#include "server/service/grpc_log.h"

#include <grpc/support/log.h>

#include "absl/strings/str_cat.h"
#include "model/base/log.h"

namespace mre {
namespace {

void Take(gpr_log_func_args* args) {
  const Severity severity = args->severity == GPR_LOG_SEVERITY_ERROR
                                ? Severity::kError
                                : Severity::kInfo;
  Log(severity, args->message,
      {{"source", absl::StrCat(args->file, ":", args->line)}});
}

}  // namespace

void TakeGrpcLog() { gpr_set_log_function(Take); }

}  // namespace mre
