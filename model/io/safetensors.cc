#include "model/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/json_keys.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr char kMetadata[] = "__metadata__";

absl::Status Damaged(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("safetensors: ", what));
}

absl::Status BadTensor(absl::string_view name, absl::string_view what) {
  return Damaged(absl::StrCat("tensor \"", name, "\": ", what));
}

uint64_t ReadLength(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = kLengthBytes; i-- > 0;) {
    value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
  }
  return value;
}

// Bytes an element of the type takes; 0 for types that the format does not
// know.
uint64_t ElementBytes(absl::string_view dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") {
    return 2;
  }
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL") return 1;
  return 0;
}

// The header as JSON, with the depth bounded and duplicate names refused.
absl::StatusOr<json> ParseHeader(absl::string_view text) {
  constexpr int kMaxDepth = 4;
  RepeatedKeys names;
  std::string problem;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth && problem.empty()) {
      problem = "header is nested too deeply";
    }
    if (problem.empty() && names.Repeats(depth, event, parsed)) {
      problem = absl::StrCat("header names \"", parsed.get<std::string>(),
                             "\" twice");
    }
    return problem.empty();  // keeps no values once there is one
  };
  json header = json::parse(text.begin(), text.end(), check,
                            /*allow_exceptions=*/false);
  if (!problem.empty()) return Damaged(problem);
  if (!header.is_object()) return Damaged("header is not a JSON object");
  return header;
}

absl::StatusOr<uint64_t> Unsigned(const json& value, absl::string_view name,
                                  absl::string_view field) {
  if (!value.is_number_unsigned()) {
    return BadTensor(name,
                     absl::StrCat(field, " must hold non-negative integers"));
  }
  return value.get<uint64_t>();
}

absl::StatusOr<TensorView> ParseTensor(absl::string_view name,
                                       const json& entry,
                                       std::span<const std::byte> data) {
  if (!entry.is_object()) return BadTensor(name, "entry must be an object");
  const auto dtype = entry.find("dtype");
  const auto shape = entry.find("shape");
  const auto offsets = entry.find("data_offsets");
  if (dtype == entry.end() || !dtype->is_string()) {
    return BadTensor(name, "dtype must be a string");
  }
  if (shape == entry.end() || !shape->is_array()) {
    return BadTensor(name, "shape must be an array");
  }
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2) {
    return BadTensor(name, "data_offsets must be an array of two");
  }
  if (entry.size() != 3) return BadTensor(name, "entry has unknown members");
  TensorView tensor;
  tensor.dtype = dtype->get<std::string>();
  const uint64_t element = ElementBytes(tensor.dtype);
  if (element == 0) {
    return BadTensor(name,
                     absl::StrCat("unknown dtype \"", tensor.dtype, "\""));
  }
  // Of the dimensions other than 0, so that no partial product overflows.
  uint64_t size = element;
  bool empty = false;
  for (const json& item : *shape) {
    ASSIGN_OR_RETURN(const uint64_t dim, Unsigned(item, name, "shape"));
    if (dim == 0) {
      empty = true;
    } else if (size > INT64_MAX / dim) {
      return BadTensor(name, "shape needs more bytes than the file has");
    } else {
      size *= dim;
    }
    tensor.shape.push_back(static_cast<int64_t>(dim));
  }
  if (empty) size = 0;
  if (size > data.size()) {
    return BadTensor(name, "shape needs more bytes than the file has");
  }
  ASSIGN_OR_RETURN(const uint64_t begin,
                   Unsigned((*offsets)[0], name, "data_offsets"));
  ASSIGN_OR_RETURN(const uint64_t end,
                   Unsigned((*offsets)[1], name, "data_offsets"));
  if (begin > end || end > data.size()) {
    return BadTensor(name, absl::StrCat("data_offsets [", begin, ", ", end,
                                        "] leave the file's ", data.size(),
                                        " bytes of data"));
  }
  if (end - begin != size) {
    return BadTensor(name, absl::StrCat("data_offsets span ", end - begin,
                                        " bytes, dtype and shape need ", size));
  }
  tensor.bytes = data.subspan(begin, size);
  return tensor;
}

// Tensors must cover the data from its first byte to its last, once.
absl::Status CheckCover(const std::map<std::string, TensorView>& tensors,
                        std::span<const std::byte> data) {
  std::vector<std::pair<size_t, const std::string*>> begins;
  for (const auto& [name, tensor] : tensors) {
    if (tensor.bytes.empty()) continue;
    begins.emplace_back(tensor.bytes.data() - data.data(), &name);
  }
  std::sort(begins.begin(), begins.end());
  size_t covered = 0;
  for (const auto& [begin, name] : begins) {
    if (begin != covered) {
      return BadTensor(*name, absl::StrCat("starts at byte ", begin,
                                           " of the data, expected ", covered,
                                           " (overlap or gap)"));
    }
    covered += tensors.at(*name).bytes.size();
  }
  if (covered != data.size()) {
    return Damaged(absl::StrCat("tensors cover ", covered, " of ", data.size(),
                                " bytes of data"));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t TensorView::elements() const {
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  return count;
}

absl::StatusOr<Safetensors> ParseSafetensors(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    return Damaged(absl::StrCat("file has ", bytes.size(),
                                " bytes, too few for the header's length"));
  }
  const uint64_t length = ReadLength(bytes);
  if (length > kMaxSafetensorsHeader) {
    return Damaged(absl::StrCat("header length ", length, " exceeds ",
                                kMaxSafetensorsHeader));
  }
  if (length > bytes.size() - kLengthBytes) {
    return Damaged(absl::StrCat("header length ", length,
                                " exceeds the file's ", bytes.size(),
                                " bytes"));
  }
  const absl::string_view text(
      reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  const auto data = bytes.subspan(kLengthBytes + length);
  ASSIGN_OR_RETURN(const json header, ParseHeader(text));
  Safetensors file;
  for (const auto& [name, entry] : header.items()) {
    if (name != kMetadata) {
      ASSIGN_OR_RETURN(file.tensors[name], ParseTensor(name, entry, data));
      continue;
    }
    if (!entry.is_object()) return Damaged("__metadata__ must be an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) {
        return Damaged(
            absl::StrCat("__metadata__ \"", key, "\" must be a string"));
      }
      file.metadata[key] = value.get<std::string>();
    }
  }
  RETURN_IF_ERROR(CheckCover(file.tensors, data));
  return file;
}

std::string SerializeSafetensors(const Safetensors& file) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header[kMetadata] = file.metadata;
  size_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const size_t end = offset + tensor.bytes.size();
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text =
      header.dump(-1, ' ', false, json::error_handler_t::replace);
  constexpr size_t kAlign = 64;
  text.append((kAlign - (kLengthBytes + text.size()) % kAlign) % kAlign, ' ');
  std::string bytes;
  bytes.reserve(kLengthBytes + text.size() + offset);
  for (size_t i = 0; i < kLengthBytes; ++i) {
    bytes.push_back(static_cast<char>(text.size() >> (8 * i) & 0xff));
  }
  bytes += text;
  for (const auto& [name, tensor] : file.tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()),
                 tensor.bytes.size());
  }
  return bytes;
}

}  // namespace mre
