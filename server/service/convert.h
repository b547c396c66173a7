// Between the wire's messages and native types, with every check of what
// clients send. Pure functions.
#ifndef MRE_SERVER_SERVICE_CONVERT_H_
#define MRE_SERVER_SERVICE_CONVERT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/mre/v1/anytime.pb.h"
#include "server/repository/repository.h"
#include "server/schedule/request.h"

namespace mre {

// What a client wants to see of each prediction.
struct OutputOptions {
  uint32_t top_k = 5;
  bool probabilities = false;
};

// That it is short enough (kMaxRequestId).
absl::Status CheckRequestId(absl::string_view id);

// Errors are INVALID_ARGUMENT and name the field and what was expected.
absl::StatusOr<Budget> ParseBudget(const v1::Budget& message,
                                   const PackedModel& model);

// Everything but the telemetry.
absl::StatusOr<Request::Spec> ParseRequest(const v1::PredictRequest& message,
                                           const ServedModel& model,
                                           int64_t max_rows);

OutputOptions ParseOutput(const v1::Output& message);

// Appends each prediction to the update and names its model.
void FillUpdate(const std::vector<Prediction>& predictions,
                absl::string_view request_id, const ServedModel& model,
                const OutputOptions& options, v1::PredictUpdate* update);

void FillModelInfo(const VersionStatus& status, v1::ModelInfo* info);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_CONVERT_H_
