// One version of a model, ready to run.
#ifndef MRE_SERVER_REPOSITORY_SERVED_MODEL_H_
#define MRE_SERVER_REPOSITORY_SERVED_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/engine/packed_model.h"
#include "server/repository/files.h"

namespace mre {

// Immutable.
struct ServedModel {
  std::string name;
  int64_t version = 0;
  std::shared_ptr<const PackedModel> model;
  uint64_t parameters = 0;
};

struct LoadOptions {
  std::string root;
  Precision precision = Precision::kF32;
  // A model whose rows take more run state than this each is refused.
  int64_t max_row_bytes = INT64_MAX;
};

// Reads a checkpoint, packs it, and runs one row through every step: that
// touches the weights, and shows that the model runs before anybody is told
// that it is ready. `stamp` is of the file that was read. Errors say what is
// wrong with which file.
absl::StatusOr<std::shared_ptr<const ServedModel>> LoadServedModel(
    const LoadOptions& options, const std::string& name, int64_t version,
    FileStamp* stamp);

}  // namespace mre

#endif  // MRE_SERVER_REPOSITORY_SERVED_MODEL_H_
