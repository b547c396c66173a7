// What a line of the log looks like, as text and as JSON.
#ifndef MRE_MODEL_BASE_LOG_LINE_H_
#define MRE_MODEL_BASE_LOG_LINE_H_

#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace mre {

enum class Severity { kInfo, kWarning, kError };

enum class LogFormat {
  kText,  // I 2026-01-31T12:00:00.000Z loaded model=m version=3
  kJson,  // {"time":"2026-01-31T12:00:00.000000Z","severity":"INFO",
          //  "message":"loaded","model":"m","version":3}
};

// Something that a line says under a name of its own. A view: the text is
// borrowed. Names are ours, such as "queued_ms": letters, digits and '_', and
// none of "time", "severity" and "message".
struct LogField {
  using Value = std::variant<absl::string_view, int64_t, uint64_t, double>;

  LogField(absl::string_view key, absl::string_view text)
      : key(key), value(text) {}
  LogField(absl::string_view key, const char* text)
      : LogField(key, absl::string_view(text)) {}
  LogField(absl::string_view key, const std::string& text)
      : LogField(key, absl::string_view(text)) {}
  LogField(absl::string_view key, double number) : key(key), value(number) {}
  template <typename T>
  requires std::is_integral_v<T> LogField(absl::string_view key, T number)
      : key(key) {
    if constexpr (std::is_signed_v<T>) {
      value = static_cast<int64_t>(number);
    } else {
      value = static_cast<uint64_t>(number);
    }
  }

  absl::string_view key;
  Value value;
};

// One line with its '\n'. No byte of `message` or of a field can end it early
// or, in JSON, make it invalid: what is no UTF-8 becomes U+FFFD there. In text
// control characters of the message become '?', and values that could be
// misread are quoted. `time` is written in UTC.
std::string LogLine(LogFormat format, Severity severity, absl::Time time,
                    absl::string_view message,
                    absl::Span<const LogField> fields = {});

}  // namespace mre

#endif  // MRE_MODEL_BASE_LOG_LINE_H_
