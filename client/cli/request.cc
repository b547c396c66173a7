#include "client/cli/request.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/console/budget_flags.h"
#include "client/console/duration_flag.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

absl::StatusOr<v1::Delivery> ParseDelivery(const std::string& text) {
  if (text == "latest") return v1::DELIVERY_LATEST;
  if (text == "all") return v1::DELIVERY_ALL;
  return absl::InvalidArgumentError(
      absl::StrCat("--delivery is \"", text, "\", not latest or all"));
}

}  // namespace

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
