#include "client/cli/request.h"

#include "client/console/request_flags.h"
#include "model/base/status_macros.h"

namespace mre {

absl::StatusOr<v1::PredictRequest> MakeRequest(const Flags& flags) {
  v1::PredictRequest request;
  ASSIGN_OR_RETURN(*request.mutable_budget(), MakeBudget(flags.budget));
  if (flags.sampled) {
    request.mutable_routing()->set_sampled(true);
    request.mutable_routing()->set_seed(flags.seed);
  }
  ASSIGN_OR_RETURN(*request.mutable_output(), MakeOutput(flags));
  request.mutable_output()->set_probabilities(flags.probabilities);
  request.set_priority(flags.priority);
  return request;
}

}  // namespace mre
