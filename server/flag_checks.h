// What a flag's value may be. Each says what was expected and what it got.
// (For the .cc files that define flags.)
#ifndef MRE_SERVER_FLAG_CHECKS_H_
#define MRE_SERVER_FLAG_CHECKS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace mre {

// `least` to `most`.
CLI::Validator WholeNumber(int64_t least, int64_t most);

// `least` to `most`; neither nan nor a unit.
CLI::Validator Number(double least, double most);
inline CLI::Validator NumberUpTo(int64_t most) {
  return Number(0, static_cast<double>(most));
}

// One of `words`. In a configuration file true and false stand for on and off.
CLI::Validator OneOf(std::vector<std::string> words);

// Text that `parse` takes, which returns a StatusOr.
template <typename Parse>
CLI::Validator Parses(Parse parse) {
  return CLI::Validator(
      [parse](const std::string& text) {
        const auto parsed = parse(text);
        return parsed.ok() ? std::string()
                           : std::string(parsed.status().message());
      },
      "");
}

}  // namespace mre

#endif  // MRE_SERVER_FLAG_CHECKS_H_
