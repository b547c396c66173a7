// Numbers and errors in words. Pure functions; what a server sent is made safe
// for a terminal here.
#ifndef MRE_CLIENT_CONSOLE_WORDS_H_
#define MRE_CLIENT_CONSOLE_WORDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mre {

// `text` with control characters (and so escape sequences) replaced by '?'.
std::string Printable(absl::string_view text);

// "1,234,567".
std::string WithCommas(uint64_t value);

// "12.3us", "4.56ms", "1.23s": three digits.
std::string NanosText(double nanos);

// "NOT_FOUND: no model named x".
std::string ErrorText(const absl::Status& status);

}  // namespace mre

#endif  // MRE_CLIENT_CONSOLE_WORDS_H_
