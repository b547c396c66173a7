// The outputs that a model has in the open inference protocol.
#ifndef MRE_SERVER_SERVICE_INFERENCE_OUTPUTS_H_
#define MRE_SERVER_SERVICE_INFERENCE_OUTPUTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/schedule/prediction.h"

namespace mre {

// In the order in which they are sent when none is asked for.
enum class InferOutput {
  kProbabilities,
  kClassIndex,
  kConfidence,
  kStep,
  kMacs,
  kRayCoverage,
  kFinal,
};
inline constexpr int kInferOutputs = 7;

struct InferOutputInfo {
  absl::string_view name;
  absl::string_view datatype;  // "FP32"
  int config_type = 0;         // inference::DataType of ModelConfig
  bool a_class = false;        // one value a class, else one a row
};
const InferOutputInfo& InfoOf(InferOutput output);

const std::vector<InferOutput>& AllInferOutputs();

// Appends the values of `rows` to `bytes`, little-endian.
void AppendOutput(InferOutput output, std::span<const Prediction> rows,
                  std::string* bytes);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INFERENCE_OUTPUTS_H_
