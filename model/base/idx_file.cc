#include "model/base/idx_file.h"

#include "model/base/file.h"
#include "model/base/gzip_file.h"
#include "model/base/status_macros.h"

namespace mre {

absl::StatusOr<Idx> ReadIdxFile(const std::string& path, size_t max_bytes) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadGzipFile(path, max_bytes));
  auto idx = ParseIdx(bytes);
  if (idx.ok()) return idx;
  return AtPath(path, idx.status());
}

}  // namespace mre
