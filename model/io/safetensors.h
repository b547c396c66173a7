// The safetensors file format, bytes only; what tensors mean is checkpoint.h's.
//
//   8 bytes   little-endian length of the header
//   header    JSON: {"__metadata__": {string: string...},
//             name: {"dtype": "F32", "shape": [...], "data_offsets": [b, e]}}
//   data      raw little-endian values; offsets count from here
//
// Input is never trusted: sizes are checked before they are used, and nothing
// is allocated that the bytes at hand do not justify. Tensors must neither
// overlap nor leave gaps, as the format demands.
#ifndef MRE_MODEL_IO_SAFETENSORS_H_
#define MRE_MODEL_IO_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mre {

// Longest header accepted; ours are below 10 KB.
inline constexpr uint64_t kMaxSafetensorsHeader = 16 << 20;

struct TensorView {
  std::string dtype;  // "F32", "BF16", ...
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // into what was parsed

  int64_t elements() const;
};

struct Safetensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorView> tensors;
};

// Views into `bytes`, which must outlive the result. INVALID_ARGUMENT names the
// tensor or the byte that is wrong.
absl::StatusOr<Safetensors> ParseSafetensors(std::span<const std::byte> bytes);

// The file's bytes; data is padded so that it begins at a multiple of 64, which
// keeps mapped tensors aligned. Equal input gives equal bytes.
std::string SerializeSafetensors(const Safetensors& file);

}  // namespace mre

#endif  // MRE_MODEL_IO_SAFETENSORS_H_
