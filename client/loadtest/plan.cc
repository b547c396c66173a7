#include "client/loadtest/plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/console/duration_flag.h"
#include "client/console/request_flags.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// More than any one machine drives; so that a slip does not take all memory.
constexpr int kMaxConnections = 10'000;
constexpr int kMaxInFlight = 1'000'000;
// Requests that a server takes at once on a stream.
constexpr int kSessionRequests = 1024;
constexpr double kMinRate = 1e-3;
constexpr double kMaxRate = 1e6;

absl::Status CheckCount(absl::string_view flag, int value, int most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " is ", value, ", not from 1 to ", most));
}

absl::StatusOr<Method> ParseMethod(const std::string& text) {
  if (text == "predict") return Method::kPredict;
  if (text == "stream") return Method::kStream;
  if (text == "interactive") return Method::kInteractive;
  return absl::InvalidArgumentError(absl::StrCat(
      "--method is \"", text, "\", not predict, stream or interactive"));
}

absl::StatusOr<Arrival> ParseArrival(const std::string& text) {
  if (text == "poisson") return Arrival::kPoisson;
  if (text == "uniform") return Arrival::kUniform;
  return absl::InvalidArgumentError(
      absl::StrCat("--arrival is \"", text, "\", not poisson or uniform"));
}

absl::StatusOr<TransportOptions> MakeTransport(const LoadOptions& load,
                                               LoadtestFlags& flags) {
  TransportOptions options;
  ASSIGN_OR_RETURN(options.client, MakeClientOptions(flags));
  ASSIGN_OR_RETURN(options.call, MakeCallOptions(flags));
  RETURN_IF_ERROR(
      CheckCount("connections", flags.connections, kMaxConnections));
  options.connections = flags.connections;
  ASSIGN_OR_RETURN(options.method, ParseMethod(flags.method));
  const bool interactive = options.method == Method::kInteractive;
  if (flags.sessions != 0 && !interactive) {
    return absl::InvalidArgumentError(
        "--sessions is for --method=interactive only");
  }
  if (interactive) {
    const bool open = load.arrivals.has_value();
    const int in_flight = open ? load.max_in_flight : load.concurrency;
    if (flags.sessions == 0) {
      // Half full: requests take turns, however many each stream has open.
      flags.sessions = std::max(flags.connections,
                                (2 * in_flight - 1) / kSessionRequests + 1);
    }
    RETURN_IF_ERROR(CheckCount("sessions", flags.sessions, kMaxConnections));
    if (!open && in_flight > flags.sessions * kSessionRequests) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--sessions is ", flags.sessions, ", too few for --concurrency=",
          in_flight, ": a stream takes ", kSessionRequests, " requests"));
    }
    options.sessions = flags.sessions;
  }
  if (interactive && !flags.deadline.empty()) {
    return absl::InvalidArgumentError(
        "--deadline is a call's, and with --method=interactive many requests "
        "share one; use the budget's max_time");
  }
  return options;
}

absl::StatusOr<LoadOptions> MakeLoad(const LoadtestFlags& flags) {
  LoadOptions options;
  if (flags.rate != 0) {  // NaN too.
    if (!(flags.rate >= kMinRate && flags.rate <= kMaxRate)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--rate is ", flags.rate, ", not from ", kMinRate,
                       " to ", kMaxRate, " requests a second"));
    }
    ArrivalOptions arrivals;
    ASSIGN_OR_RETURN(arrivals.kind, ParseArrival(flags.arrival));
    arrivals.rate = flags.rate;
    arrivals.seed = flags.seed;
    options.arrivals = arrivals;
  }
  RETURN_IF_ERROR(CheckCount("concurrency", flags.concurrency, kMaxInFlight));
  RETURN_IF_ERROR(
      CheckCount("max_in_flight", flags.max_in_flight, kMaxInFlight));
  options.concurrency = flags.concurrency;
  options.max_in_flight = flags.max_in_flight;
  ASSIGN_OR_RETURN(options.warmup, ParseDurationFlag("warmup", flags.warmup));
  ASSIGN_OR_RETURN(options.duration,
                   ParseDurationFlag("duration", flags.duration));
  if (flags.requests == 0 && options.duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("--duration is 0: nothing would be done");
  }
  options.requests = flags.requests;
  options.seed = flags.seed;
  ASSIGN_OR_RETURN(*options.request.mutable_output(), MakeOutput(flags));
  return options;
}

}  // namespace

absl::StatusOr<Plan> MakePlan(LoadtestFlags& flags) {
  ASSIGN_OR_RETURN(ClassMix mix, ClassMix::Make(flags.classes, flags.budget));
  ASSIGN_OR_RETURN(LoadOptions load, MakeLoad(flags));
  ASSIGN_OR_RETURN(TransportOptions transport, MakeTransport(load, flags));
  ASSIGN_OR_RETURN(const absl::Duration drain,
                   ParseDurationFlag("drain", flags.drain));
  Recorder::Options recorder;
  recorder.classes = mix.classes().size();
  // Not `< 0 || > 1`: that would let NaN pass.
  if (!(flags.confidence >= 0 && flags.confidence <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--confidence is ", flags.confidence, ", not between 0 and 1"));
  }
  recorder.confidence = flags.confidence;
  if (!(flags.objective_ms >= 0 && flags.objective_ms <= 1e9)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--objective_ms is ", flags.objective_ms,
                     ", not a number of milliseconds"));
  }
  if (flags.objective_ms > 0) {
    recorder.objective = static_cast<Nanos>(flags.objective_ms * 1e6);
  }
  return Plan{std::move(transport), std::move(load), recorder, std::move(mix),
              drain};
}

}  // namespace mre
