#include "model/base/log_line.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace mre {
namespace {

char Letter(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return 'I';
    case Severity::kWarning:
      return 'W';
    case Severity::kError:
      return 'E';
  }
  return '?';
}

const char* Word(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "INFO";
    case Severity::kWarning:
      return "WARNING";
    case Severity::kError:
      return "ERROR";
  }
  return "?";
}

uint8_t Byte(absl::string_view text, size_t i) {
  return i < text.size() ? static_cast<uint8_t>(text[i]) : 0;
}

// Length of the UTF-8 character that `text` begins with, by table 3-7 of the
// Unicode standard; 0: it begins with none.
size_t CharacterLength(absl::string_view text) {
  const uint8_t first = Byte(text, 0);
  const uint8_t second = Byte(text, 1);
  const auto tail = [&](size_t i) { return (Byte(text, i) & 0xc0) == 0x80; };
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !tail(1)) return 0;
  if (first < 0xe0) return 2;
  if (!tail(2)) return 0;
  if (first < 0xf0) {
    // No longer than needed, and no half of a surrogate pair.
    const bool good =
        first == 0xe0 ? second >= 0xa0 : first != 0xed || second < 0xa0;
    return good ? 3 : 0;
  }
  const bool good =
      first == 0xf0 ? second >= 0x90 : first != 0xf4 || second < 0x90;
  return good && tail(3) ? 4 : 0;
}

void AppendJsonText(absl::string_view text, std::string* line) {
  line->push_back('"');
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const char c = text.front();
    if (length == 0) {
      line->append("\xef\xbf\xbd");
    } else if (c == '"' || c == '\\') {
      line->append({'\\', c});
    } else if (length == 1 && absl::ascii_iscntrl(c)) {
      absl::StrAppend(line, "\\u", absl::Hex(c, absl::kZeroPad4));
    } else {
      line->append(text.data(), length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  line->push_back('"');
}

std::string NumberText(int64_t number) { return absl::StrCat(number); }
std::string NumberText(uint64_t number) { return absl::StrCat(number); }
std::string NumberText(double number) {
  return std::isfinite(number) ? absl::StrCat(number) : "null";
}

std::string JsonLine(Severity severity, absl::Time time,
                     absl::string_view message,
                     absl::Span<const LogField> fields) {
  std::string line = absl::StrCat(
      R"({"time":")",
      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()),
      R"(","severity":")", Word(severity), R"(","message":)");
  AppendJsonText(message, &line);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, ",\"", field.key, "\":");
    std::visit(
        [&](auto value) {
          if constexpr (std::is_same_v<decltype(value), absl::string_view>) {
            AppendJsonText(value, &line);
          } else {
            line += NumberText(value);
          }
        },
        field.value);
  }
  return line + "}\n";
}

// Whether a value must be quoted, so that nobody takes a part of it for a field
// of its own.
bool NeedsQuotes(absl::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
           return c == ' ' || c == '"' || c == '=' || c == '\\' ||
                  absl::ascii_iscntrl(c);
         });
}

std::string TextLine(Severity severity, absl::Time time,
                     absl::string_view message,
                     absl::Span<const LogField> fields) {
  std::string line = absl::StrCat(
      std::string(1, Letter(severity)), " ",
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()), " ",
      message);
  for (char& c : line) {
    if (absl::ascii_iscntrl(c)) c = '?';
  }
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    std::visit(
        [&](auto value) {
          if constexpr (!std::is_same_v<decltype(value), absl::string_view>) {
            line += NumberText(value);
          } else if (NeedsQuotes(value)) {
            absl::StrAppend(&line, "\"", absl::Utf8SafeCEscape(value), "\"");
          } else {
            line.append(value.data(), value.size());
          }
        },
        field.value);
  }
  return line + "\n";
}

}  // namespace

std::string LogLine(LogFormat format, Severity severity, absl::Time time,
                    absl::string_view message,
                    absl::Span<const LogField> fields) {
  return format == LogFormat::kJson ? JsonLine(severity, time, message, fields)
                                    : TextLine(severity, time, message, fields);
}

}  // namespace mre
