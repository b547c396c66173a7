#include "model/io/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/io/safetensors.h"
#include "model/math/elementwise.h"
#include "model/net/kinds.h"

namespace mre {
namespace {

static_assert(std::endian::native == std::endian::little,
              "checkpoints are little-endian and read without swapping");

constexpr char kConfig[] = "mre.config";
// A tensor's entry in the header takes more bytes than this.
constexpr int64_t kMinEntryBytes = 48;
// A raytracing's wiring is drawn from all elements of the input, however few
// its modules see: so many are free, more have to be worth the file's size.
constexpr int64_t kFreeInputs = 1 << 18;
constexpr int64_t kInputsAByte = 16;

absl::Status BadTensor(const ParamSpec& spec, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor \"", spec.name, "\": ", what));
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

// Copies the tensor's values into `out` as f32.
absl::Status CopyTensor(const ParamSpec& spec, const TensorView& tensor,
                        float* out) {
  if (tensor.shape != spec.shape) {
    return BadTensor(
        spec, absl::StrCat("shape ", ShapeText(tensor.shape),
                           ", the config asks for ", ShapeText(spec.shape)));
  }
  if (tensor.dtype == "F32") {
    std::memcpy(out, tensor.bytes.data(), tensor.bytes.size());
  } else if (tensor.dtype == "BF16") {
    for (int64_t i = 0; i < spec.size; ++i) {
      uint16_t high;
      std::memcpy(&high, tensor.bytes.data() + 2 * i, 2);
      out[i] = std::bit_cast<float>(static_cast<uint32_t>(high) << 16);
    }
  } else {
    return BadTensor(
        spec, absl::StrCat("dtype ", tensor.dtype, ", expected F32 or BF16"));
  }
  for (int64_t i = 0; i < spec.size; ++i) {
    if (!std::isfinite(out[i])) {
      return BadTensor(spec, absl::StrCat("value ", i, " is not finite"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParamTable> ParamsWithin(const ModelConfig& config,
                                        size_t bytes) {
  // Every expert has a tensor of its own at least, and building the table takes
  // memory in proportion to them.
  const int64_t size = static_cast<int64_t>(bytes);
  if (config.parts() > size / kMinEntryBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("mre.config asks for ", config.parts(),
                     " experts, too many for the file's ", bytes, " bytes"));
  }
  if (config.kind == Kind::kRaytracing &&
      config.input.size() > std::max(kFreeInputs, size * kInputsAByte)) {
    return absl::InvalidArgumentError(
        absl::StrCat("mre.config asks for inputs of ", config.input.size(),
                     " elements, too many for the file's ", bytes, " bytes"));
  }
  ParamTable table = ParamsOf(config);
  if (static_cast<int64_t>(table.specs.size()) > size / kMinEntryBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("mre.config asks for ", table.specs.size(),
                     " tensors, too many for the file's ", bytes, " bytes"));
  }
  // Two bytes a value at least.
  if (table.total > size / 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("mre.config asks for ", table.total,
                     " parameters, the file has only ", bytes, " bytes"));
  }
  return table;
}

absl::StatusOr<Model> ParseCheckpoint(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const Safetensors file, ParseSafetensors(bytes));
  const auto config_text = file.metadata.find(kConfig);
  if (config_text == file.metadata.end()) {
    return absl::InvalidArgumentError(
        "__metadata__ has no \"mre.config\": not a checkpoint of this server");
  }
  Model model;
  ASSIGN_OR_RETURN(model.config, ParseConfig(config_text->second));
  ASSIGN_OR_RETURN(const ParamTable table,
                   ParamsWithin(model.config, bytes.size()));
  model.params.resize(table.total);
  for (const ParamSpec& spec : table.specs) {
    const auto tensor = file.tensors.find(spec.name);
    if (tensor == file.tensors.end()) return BadTensor(spec, "missing");
    RETURN_IF_ERROR(
        CopyTensor(spec, tensor->second, model.params.data() + spec.offset));
  }
  if (file.tensors.size() != table.specs.size()) {
    std::map<std::string, TensorView> extra = file.tensors;
    for (const ParamSpec& spec : table.specs) extra.erase(spec.name);
    return absl::InvalidArgumentError(
        absl::StrCat("tensor \"", extra.begin()->first,
                     "\": not part of a model of this config"));
  }
  return model;
}

absl::StatusOr<Model> LoadCheckpoint(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  absl::StatusOr<Model> model = ParseCheckpoint(file.bytes());
  if (model.ok()) return model;
  return AtPath(path, model.status());
}

std::string SerializeCheckpoint(const Model& model, Storage storage) {
  Safetensors file;
  file.metadata[kConfig] = FormatConfig(model.config);
  const ParamTable table = ParamsOf(model.config);
  std::vector<std::vector<uint16_t>> rounded;
  rounded.reserve(table.specs.size());  // views into it stay valid
  for (const ParamSpec& spec : table.specs) {
    const std::span<const float> values(model.params.data() + spec.offset,
                                        spec.size);
    TensorView& tensor = file.tensors[spec.name];
    if (storage == Storage::kBf16 && spec.group == ParamGroup::kMatrix) {
      RoundToBf16(values.data(), spec.size,
                  rounded.emplace_back(spec.size).data());
      tensor = {"BF16", spec.shape,
                std::as_bytes(std::span<const uint16_t>(rounded.back()))};
    } else {
      tensor = {"F32", spec.shape, std::as_bytes(values)};
    }
  }
  return SerializeSafetensors(file);
}

absl::Status SaveCheckpoint(const Model& model, const std::string& path,
                            Storage storage) {
  return WriteFileAtomically(path, SerializeCheckpoint(model, storage));
}

}  // namespace mre
