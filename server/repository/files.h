// The repository's directory: <root>/<model name>/<version>/model.safetensors.
// `root` may be a link; nothing below it may, so that nothing outside is read.
#ifndef MRE_SERVER_REPOSITORY_FILES_H_
#define MRE_SERVER_REPOSITORY_FILES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/file_stamp.h"

namespace mre {

// The version that a directory's name stands for, or 0: a positive integer
// without leading zeros, below 2^63.
int64_t ParseVersion(absl::string_view directory);

struct RepositoryScan {
  // Models that have at least one directory named by a version. The stamp is
  // all zero where the file is not there, or cannot be looked at just now.
  std::map<std::string, std::map<int64_t, FileStamp>> models;
  // Of those, versions whose file is not there for sure.
  std::map<std::string, std::set<int64_t>> empty;
  // Models that could not be read just now: what they hold is not known. By
  // name, with the reason; not in `models`.
  std::map<std::string, std::string> unreadable;
  // A line for each entry that was passed over and looks like a mistake.
  std::vector<std::string> skipped;
};

// NOT_FOUND when `root` is not there, UNAVAILABLE when it cannot be read.
absl::StatusOr<RepositoryScan> ScanRepository(const std::string& root);

std::string ModelFilePath(absl::string_view root, absl::string_view name,
                          int64_t version);

// The file's bytes; `stamp` is of the file that was read. Read, not mapped: if
// somebody writes into the file meanwhile, a map could end under its reader.
// INVALID_ARGUMENT when it is a link or no regular file, FAILED_PRECONDITION
// when it would fill half of the memory; NOT_FOUND, or UNAVAILABLE when it
// cannot be read, which says nothing about the file: the stamp is all zero
// then. REQUIRES: IsModelName(name), version > 0.
absl::StatusOr<std::string> ReadModelFile(const std::string& root,
                                          const std::string& name,
                                          int64_t version, FileStamp* stamp);

// Whether `root` seems to be a model's directory and not a repository.
bool LooksLikeAModel(const std::string& root);

}  // namespace mre

#endif  // MRE_SERVER_REPOSITORY_FILES_H_
