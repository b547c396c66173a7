// A model in a safetensors file: tensor names and "mre.config" <-> Model.
#ifndef MRE_MODEL_IO_CHECKPOINT_H_
#define MRE_MODEL_IO_CHECKPOINT_H_

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/net/params.h"

namespace mre {

// INVALID_ARGUMENT names the tensor, config field or byte that is wrong: a
// missing or unknown tensor, a shape other than the config's, a dtype other
// than F32 and BF16, a value that is not finite.
absl::StatusOr<Model> ParseCheckpoint(std::span<const std::byte> bytes);

// Maps the file and parses it; errors carry the path.
absl::StatusOr<Model> LoadCheckpoint(const std::string& path);

// The parameters that `config` asks for. INVALID_ARGUMENT when a file of
// `bytes` bytes cannot hold them, found before more memory is taken than the
// file's size justifies. REQUIRES: Validate(config).ok().
absl::StatusOr<ParamTable> ParamsWithin(const ModelConfig& config,
                                        size_t bytes);

// How numbers are stored. What is loaded is f32 in either case.
enum class Storage {
  kF32,
  // Matrices of stem, experts and head rounded to BF16: half the bytes. The
  // router, biases and norms, which are few and decide much, stay F32.
  kBf16,
};

// The file's bytes.
std::string SerializeCheckpoint(const Model& model,
                                Storage storage = Storage::kF32);

// Replaces the file atomically.
absl::Status SaveCheckpoint(const Model& model, const std::string& path,
                            Storage storage = Storage::kF32);

}  // namespace mre

#endif  // MRE_MODEL_IO_CHECKPOINT_H_
