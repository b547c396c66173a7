#include "server/flag_checks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mre {
namespace {

std::string Expected(const std::string& what, const std::string& got) {
  return absl::StrCat("expected ", what, ", got ", got.empty() ? "\"\"" : got);
}

}  // namespace

CLI::Validator WholeNumber(int64_t least, int64_t most) {
  return CLI::Validator(
      [least, most](const std::string& text) {
        int64_t number = 0;
        if (absl::SimpleAtoi(text, &number) && number >= least &&
            number <= most) {
          return std::string();
        }
        return Expected(
            absl::StrCat("a whole number from ", least, " to ", most), text);
      },
      absl::StrCat("in [", least, " - ", most, "]"));
}

CLI::Validator Number(double least, double most) {
  return CLI::Validator(
      [least, most](const std::string& text) {
        double number = 0;
        if (absl::SimpleAtod(text, &number) && number >= least &&
            number <= most) {
          return std::string();
        }
        return Expected(absl::StrCat("a number from ", least, " to ", most),
                        text);
      },
      absl::StrCat("in [", least, " - ", most, "]"));
}

CLI::Validator OneOf(std::vector<std::string> words) {
  const std::string description =
      absl::StrCat("{", absl::StrJoin(words, ","), "}");
  return CLI::Validator(
      [words = std::move(words)](const std::string& text) {
        if (std::find(words.begin(), words.end(), text) != words.end()) {
          return std::string();
        }
        const auto last = words.end() - 1;
        return Expected(absl::StrCat(absl::StrJoin(words.begin(), last, ", "),
                                     " or ", *last),
                        text);
      },
      description);
}

}  // namespace mre
