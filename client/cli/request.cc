#include "client/cli/request.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// What the model bounds from above is the server's to check.
absl::Status CheckNotNegative(absl::string_view flag, float value) {
  if (value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " is ", value, ", not 0 or above"));
}

// Not `value < 0 || value > 1`: that would let NaN pass.
absl::Status CheckShare(absl::string_view flag, float value) {
  if (value >= 0 && value <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " is ", value, ", not between 0 and 1"));
}

absl::StatusOr<v1::Delivery> ParseDelivery(const std::string& text) {
  if (text == "latest") return v1::DELIVERY_LATEST;
  if (text == "all") return v1::DELIVERY_ALL;
  return absl::InvalidArgumentError(
      absl::StrCat("--delivery is \"", text, "\", not latest or all"));
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag,
                                                 const std::string& text) {
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value < absl::ZeroDuration() ||
      value > absl::Hours(24 * 366)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, " is \"", text,
                     "\", not a length of time such as 5ms, 2s or 1m30s "
                     "(of a year at most)"));
  }
  return value;
}

absl::StatusOr<v1::Budget> MakeBudget(const BudgetFlags& flags) {
  RETURN_IF_ERROR(CheckShare("min_confidence", flags.min_confidence));
  RETURN_IF_ERROR(CheckShare("min_ray_coverage", flags.min_ray_coverage));
  RETURN_IF_ERROR(CheckNotNegative("theta_out", flags.theta_out));
  RETURN_IF_ERROR(CheckShare("theta_decay", flags.theta_decay));
  v1::Budget budget;
  budget.set_max_steps(flags.max_steps);
  budget.set_max_macs(flags.max_macs);
  if (!flags.max_time.empty()) {
    ASSIGN_OR_RETURN(const absl::Duration time,
                     ParseDurationFlag("max_time", flags.max_time));
    const int64_t ns = absl::ToInt64Nanoseconds(time);
    budget.mutable_max_time()->set_seconds(ns / 1'000'000'000);
    budget.mutable_max_time()->set_nanos(ns % 1'000'000'000);
  }
  budget.set_min_confidence(flags.min_confidence);
  budget.set_min_ray_coverage(flags.min_ray_coverage);
  budget.set_stable_steps(flags.stable_steps);
  budget.set_theta_out(flags.theta_out);
  budget.set_theta_decay(flags.theta_decay);
  return budget;
}

absl::StatusOr<v1::PredictRequest> MakeRequest(const Flags& flags) {
  v1::PredictRequest request;
  ASSIGN_OR_RETURN(*request.mutable_budget(), MakeBudget(flags.budget));
  if (flags.sampled) {
    request.mutable_routing()->set_sampled(true);
    request.mutable_routing()->set_seed(flags.seed);
  }
  v1::Output& output = *request.mutable_output();
  output.set_top_k(flags.top_k);
  output.set_probabilities(flags.probabilities);
  output.set_every(flags.every);
  ASSIGN_OR_RETURN(const v1::Delivery delivery, ParseDelivery(flags.delivery));
  output.set_delivery(delivery);
  return request;
}

absl::StatusOr<CallOptions> MakeCallOptions(const Flags& flags) {
  CallOptions options;
  if (flags.deadline.empty()) return options;
  ASSIGN_OR_RETURN(options.timeout,
                   ParseDurationFlag("deadline", flags.deadline));
  return options;
}

}  // namespace mre
