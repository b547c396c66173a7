#include "server/service/inference_outputs.h"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>

#include "proto/inference/model_config.pb.h"

namespace mre {
namespace {

// A number's bytes are the wire's.
static_assert(std::endian::native == std::endian::little);

constexpr std::array<InferOutputInfo, kInferOutputs> kInfo = {{
    {"probabilities", "FP32", inference::TYPE_FP32, true},
    {"class_index", "INT32", inference::TYPE_INT32},
    {"confidence", "FP32", inference::TYPE_FP32},
    {"step", "INT32", inference::TYPE_INT32},
    {"macs", "UINT64", inference::TYPE_UINT64},
    {"ray_coverage", "FP32", inference::TYPE_FP32},
    {"final", "BOOL", inference::TYPE_BOOL},
}};

template <typename T>
void Append(const T* values, size_t count, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

template <typename T>
void Append(T value, std::string* bytes) {
  Append(&value, 1, bytes);
}

void AppendRow(InferOutput output, const Prediction& row, std::string* bytes) {
  const std::vector<float>& p = row.probabilities;
  const auto top = std::max_element(p.begin(), p.end());  // ties: the first
  switch (output) {
    case InferOutput::kProbabilities:
      return Append(p.data(), p.size(), bytes);
    case InferOutput::kClassIndex:
      return Append(static_cast<int32_t>(std::distance(p.begin(), top)), bytes);
    case InferOutput::kConfidence:
      return Append(*top, bytes);
    case InferOutput::kStep:
      return Append(static_cast<int32_t>(row.step), bytes);
    case InferOutput::kMacs:
      return Append(row.macs, bytes);
    case InferOutput::kRayCoverage:
      return Append(row.ray_coverage, bytes);
    case InferOutput::kFinal:
      return Append(static_cast<uint8_t>(row.final()), bytes);
  }
}

}  // namespace

const InferOutputInfo& InfoOf(InferOutput output) {
  return kInfo[static_cast<size_t>(output)];
}

const std::vector<InferOutput>& AllInferOutputs() {
  static const auto* all = [] {
    auto* outputs = new std::vector<InferOutput>;
    for (int i = 0; i < kInferOutputs; ++i) {
      outputs->push_back(static_cast<InferOutput>(i));
    }
    return outputs;
  }();
  return *all;
}

void AppendOutput(InferOutput output, std::span<const Prediction> rows,
                  std::string* bytes) {
  for (const Prediction& row : rows) AppendRow(output, row, bytes);
}

}  // namespace mre
