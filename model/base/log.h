// One line an event, on stderr.
#ifndef MRE_MODEL_BASE_LOG_H_
#define MRE_MODEL_BASE_LOG_H_

#include "absl/strings/string_view.h"

namespace mre {

enum class Severity { kInfo, kWarning, kError };

// Writes "I 2026-01-31T12:00:00.000Z text" in one piece. Thread-safe. Control
// characters in `text` are replaced, so that what a client sends cannot forge
// lines.
void Log(Severity severity, absl::string_view text);

}  // namespace mre

#endif  // MRE_MODEL_BASE_LOG_H_
