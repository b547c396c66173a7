#include "model/base/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

#include "absl/time/clock.h"

namespace mre {
namespace {

// stderr is one for the whole process, and so is how its lines look.
std::atomic<LogFormat> log_format = LogFormat::kText;

}  // namespace

void SetLogFormat(LogFormat format) { log_format.store(format); }

void Log(Severity severity, absl::string_view message,
         absl::Span<const LogField> fields) {
  const std::string line =
      LogLine(log_format.load(), severity, absl::Now(), message, fields);
  // One write, so that lines of several threads do not mix. A log that cannot
  // be written is nobody's reason to stop.
  [[maybe_unused]] const ssize_t n =
      write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace mre
