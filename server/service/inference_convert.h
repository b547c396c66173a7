// Between the open inference protocol's messages and native types, with every
// check of what its clients send. Pure functions.
#ifndef MRE_SERVER_SERVICE_INFERENCE_CONVERT_H_
#define MRE_SERVER_SERVICE_INFERENCE_CONVERT_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/repository/repository.h"
#include "server/schedule/request.h"
#include "server/service/inference_outputs.h"

namespace mre {

// The name of a model's one input.
inline constexpr absl::string_view kInferInput = "input";

// What a client says of the version: as in ModelTable::Find.
struct VersionChoice {
  int64_t version = 0;
  absl::string_view label;  // the client's
};

// A version as clients write it: "" (the server chooses), "7", or a label. Else
// INVALID_ARGUMENT.
absl::StatusOr<VersionChoice> ParseModelVersion(absl::string_view version);

// What of a request does not concern the scheduler.
struct InferAnswer {
  std::string id;
  std::vector<InferOutput> outputs;  // each once, in the order wanted
  bool empty_final_response = false;
  uint32_t rows = 1;  // of the request
};

struct InferSpec {
  Request::Spec request;  // but for its client and telemetry
  InferAnswer answer;
};

// Errors are INVALID_ARGUMENT and name the field as this protocol's users know
// it (inputs[0].shape, parameters["max_steps"]) and what was expected.
absl::StatusOr<InferSpec> ParseInferRequest(
    const inference::ModelInferRequest& message, const ServedModel& model,
    int64_t max_rows);

// A request that yields two predictions of a row has a response for each; this
// puts what was taken together in an order in which rows that reached a step
// together are neighbours, and the steps of each row ascend.
void SortBySteps(std::vector<Prediction>& predictions);
// How many of the first of them share a response. REQUIRES: sorted, not empty.
size_t CountSameStep(std::span<const Prediction> predictions);

// Fills an empty response with predictions of different rows; the second one of
// a stream, where `final` says that no response of the request follows. With no
// rows it has no outputs.
void FillInferResponse(std::span<const Prediction> rows,
                       const InferAnswer& answer, const ServedModel& model,
                       inference::ModelInferResponse* response);
void FillStepResponse(std::span<const Prediction> rows,
                      const InferAnswer& answer, const ServedModel& model,
                      bool final, inference::ModelInferResponse* response);

// Why a request on a stream was refused. What it was named is repeated, unless
// it is too long.
void FillInferError(const inference::ModelInferRequest& message,
                    const absl::Status& status,
                    inference::ModelStreamInferResponse* response);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INFERENCE_CONVERT_H_
