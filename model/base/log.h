// One line an event, on stderr.
#ifndef MRE_MODEL_BASE_LOG_H_
#define MRE_MODEL_BASE_LOG_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/base/log_line.h"

namespace mre {

// Of all lines from now on; text until then. A process chooses once, before it
// logs. Thread-safe.
void SetLogFormat(LogFormat format);

// Writes the line (model/base/log_line.h) in one piece. Thread-safe.
//
//   Log(Severity::kInfo, "loaded", {{"model", name}, {"version", 3}});
void Log(Severity severity, absl::string_view message,
         absl::Span<const LogField> fields = {});

}  // namespace mre

#endif  // MRE_MODEL_BASE_LOG_H_
