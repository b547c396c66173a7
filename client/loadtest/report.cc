#include "client/loadtest/report.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "model/base/loopback.h"

namespace mre {

double Report::PerSecond(uint64_t count) const {
  return window_seconds > 0 ? static_cast<double>(count) / window_seconds : 0;
}

std::string StopName(v1::StopReason reason) {
  const std::string& name = v1::StopReason_Name(reason);
  if (name.empty()) return absl::StrCat("reason_", static_cast<int>(reason));
  return absl::AsciiStrToLower(absl::StripPrefix(name, "STOP_REASON_"));
}

std::vector<std::string> Warnings(const Report& report) {
  // Shares of the CPUs, and a delay, from which on the client may be what is
  // measured.
  constexpr double kBusy = 0.8;
  constexpr double kFull = 0.95;
  constexpr double kLateNanos = 5e6;
  std::vector<std::string> warnings;
  const Runner::State& state = report.state;
  if (report.connection_lost) {
    warnings.push_back("the server could not be reached at the end");
  }
  if (report.interrupted) warnings.push_back("ended early, by a signal");
  if (report.all.tally.requests == 0) {
    warnings.push_back("no request started in the window that is measured");
  }
  if (state.not_started > 0) {
    warnings.push_back(absl::StrCat(
        state.not_started,
        " requests were due but could not be started: they are in no latency "
        "here, which is better than it was"));
  }
  if (state.held_back > 0) {
    warnings.push_back(absl::StrCat(
        state.held_back, " requests waited because --max_in_flight=",
        report.flags.max_in_flight, " were in flight"));
  }
  if (state.cancelled > 0) {
    warnings.push_back(absl::StrCat(
        state.cancelled,
        " requests were cancelled because they had not ended; they count as "
        "failed"));
  }
  const double cores = report.client.cores.value_or(0);
  const double served =
      report.server.has_value() ? report.server->cores.value_or(0) : 0;
  if (cores >= kBusy * report.client_cores) {
    warnings.push_back(absl::StrFormat(
        "this client used %.2f of %d CPUs: it may be what limits the run",
        cores, report.client_cores));
  } else if (served > 0 && cores + served >= kFull * report.client_cores &&
             IsLoopback(HostOf(report.flags.metrics))) {
    warnings.push_back(absl::StrFormat(
        "client and server used %.2f CPUs together, and the client may use %d: "
        "on one machine they were in each other's way",
        cores + served, report.client_cores));
  }
  const Histogram& delays = report.all.tally.start_delay;
  const auto delay = static_cast<double>(delays.Quantile(0.99));
  // Where more than a hundredth waited for a place, that is why.
  const bool had_places = state.held_back * 100 <= report.all.tally.requests;
  if (report.flags.rate > 0 && had_places && delay > kLateNanos) {
    warnings.push_back(absl::StrFormat(
        "1%% of the requests started more than %.1f ms late, half of them more "
        "than %.1f ms: this client could not keep the rate",
        delay * 1e-6, static_cast<double>(delays.Quantile(0.5)) * 1e-6));
  }
  return warnings;
}

}  // namespace mre
