#include "client/loadtest/progress.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/console/words.h"

namespace mre {

std::string ProgressLine(const ProgressFacts& facts) {
  const auto rate = static_cast<uint64_t>(std::llround(facts.per_second));
  std::string line = absl::StrFormat(
      "%4.0fs  %s done  %d in flight  %s errors  %s/s  p99 %s", facts.seconds,
      WithCommas(facts.ended), facts.in_flight, WithCommas(facts.failed),
      WithCommas(rate), facts.p99_nanos > 0 ? NanosText(facts.p99_nanos) : "-");
  if (facts.ending) {
    absl::StrAppend(&line, "  ending");
  } else if (facts.seconds_left.has_value()) {
    absl::StrAppendFormat(&line, "  %.0fs left", *facts.seconds_left);
  }
  if (facts.warmup) absl::StrAppend(&line, "  (warmup)");
  return line;
}

}  // namespace mre
