// The models that a server serves, read from a directory:
// <root>/<model name>/<version: positive integer>/model.safetensors
#ifndef MRE_SERVER_REPOSITORY_REPOSITORY_H_
#define MRE_SERVER_REPOSITORY_REPOSITORY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/engine/packed_model.h"
#include "server/repository/model_settings.h"

namespace mre {

// One version of one model. Immutable.
struct ServedModel {
  std::string name;
  int64_t version = 0;
  // Null when its checkpoint was refused; then `error` says why.
  std::shared_ptr<const PackedModel> model;
  std::string error;
  uint64_t parameters = 0;

  bool ready() const { return model != nullptr; }
};

// Immutable once loaded, so thread-safe.
class Repository {
 public:
  // Loads every version of every model below `root`. A checkpoint that is
  // refused is logged and listed as not ready; the others are served. Errors:
  // NOT_FOUND when `root` holds no model at all, FAILED_PRECONDITION when
  // every one was refused, UNIMPLEMENTED when the CPU lacks `precision`. A
  // model whose rows take more than `max_row_bytes` of run state each is
  // refused too.
  static absl::StatusOr<std::unique_ptr<const Repository>> Load(
      const std::string& root, Precision precision, int64_t max_row_bytes);

  // The given version, ready or not; with 0 the newest one that is ready, or
  // when none is the newest. NOT_FOUND says what there is instead.
  absl::StatusOr<const ServedModel*> Get(absl::string_view name,
                                         int64_t version) const;
  // The same, but UNAVAILABLE when what it finds is not ready.
  absl::StatusOr<const ServedModel*> Find(absl::string_view name,
                                          int64_t version) const;

  // In order of name, then version. Lives as long as the repository.
  std::vector<const ServedModel*> List() const;

 private:
  std::map<std::string, std::map<int64_t, ServedModel>> models_;
};

// The version that a directory's name stands for, or 0: a positive integer
// without leading zeros, below 2^63.
int64_t ParseVersion(absl::string_view directory);

}  // namespace mre

#endif  // MRE_SERVER_REPOSITORY_REPOSITORY_H_
