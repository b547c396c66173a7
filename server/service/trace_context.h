// W3C Trace Context: what the header `traceparent` says
// (https://www.w3.org/TR/trace-context/#traceparent-header).
#ifndef MRE_SERVER_SERVICE_TRACE_CONTEXT_H_
#define MRE_SERVER_SERVICE_TRACE_CONTEXT_H_

#include <optional>

#include "absl/strings/string_view.h"

namespace mre {

// Views of the header's text.
struct TraceParent {
  absl::string_view trace_id;   // 32 lower-case hexadecimal digits, not all 0
  absl::string_view parent_id;  // 16 of them: the caller's span
};

// Nothing for what is not valid, as the standard wants it ignored. Versions
// after 00 may go on after a further '-'.
std::optional<TraceParent> ParseTraceParent(absl::string_view header);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_TRACE_CONTEXT_H_
