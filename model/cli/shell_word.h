// Words of a command that is printed so that it can be typed again.
#ifndef MRE_MODEL_CLI_SHELL_WORD_H_
#define MRE_MODEL_CLI_SHELL_WORD_H_

#include <string>

#include "absl/strings/string_view.h"

namespace mre {

// `word` as a shell reads it back: quoted, unless nothing in it has a meaning.
std::string ShellWord(absl::string_view word);

}  // namespace mre

#endif  // MRE_MODEL_CLI_SHELL_WORD_H_
