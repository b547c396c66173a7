// CPU time and memory of the server, from its metrics page, and of this
// process.
#ifndef MRE_CLIENT_LOADTEST_PROCESS_USAGE_H_
#define MRE_CLIENT_LOADTEST_PROCESS_USAGE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/loadtest/nanos.h"

namespace mre {

// What was read at one time; unset: not known.
struct UsageSample {
  Nanos at = 0;
  std::optional<double> cpu_seconds;
  std::optional<double> resident_bytes;
};

// From the text of a Prometheus page: process_cpu_seconds_total and
// process_resident_memory_bytes, as far as they are there.
UsageSample ParseProcessMetrics(absl::string_view page, Nanos at);

// Scrapes http://`address`/metrics; `address` is HOST:PORT. INVALID_ARGUMENT
// for another form; UNAVAILABLE when there is no page within seconds.
absl::StatusOr<UsageSample> ScrapeServer(const std::string& address);

UsageSample SampleSelf();

// Between two samples; unset: not known, as when the process was another one.
struct Usage {
  std::optional<double> cpu_seconds;
  std::optional<double> cores;  // CPU seconds a second.
  std::optional<double> resident_bytes_before;
  std::optional<double> resident_bytes_after;
};
Usage UsageBetween(const UsageSample& before, const UsageSample& after);

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_PROCESS_USAGE_H_
