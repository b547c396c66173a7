// The parameters of a request of the open inference protocol. A map of names to
// values of five types is what its clients can say beside tensors; which types
// a client has differs (perf_analyzer knows no double, the Python client no
// unsigned one), so each parameter is taken in every type that can carry it.
// Pure functions; errors are INVALID_ARGUMENT and name the parameter.
#ifndef MRE_SERVER_SERVICE_INFER_PARAMETERS_H_
#define MRE_SERVER_SERVICE_INFER_PARAMETERS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/schedule/request.h"

namespace mre {

// As errors call it: parameters["max_steps"]
std::string ParameterName(absl::string_view name);

// What a request asks for with its parameters.
struct InferParameters {
  Budget budget;
  bool sampled = false;
  uint64_t seed = 0;
  uint32_t priority = kDefaultPriority;
  bool empty_final_response = false;
};

// Which names there are, and what each means, is at the top of
// proto/inference/grpc_service.proto. Of those without a meaning here:
// - "triton_..." is left unread: clients set such by themselves, and none
// changes
//   what is computed.
// - sequence_id, sequence_start and sequence_end are taken as long as they say
//   that there is no sequence (0, "", false), and else refused: whoever sends
//   them counts on state that is kept between requests.
// - Any other is refused, for a limit that is misspelt must not become none.
absl::StatusOr<InferParameters> ParseInferParameters(
    const google::protobuf::Map<std::string, inference::InferParameter>&
        parameters,
    const PackedModel& model);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INFER_PARAMETERS_H_
