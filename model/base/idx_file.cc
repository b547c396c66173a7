#include "model/base/idx_file.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/gzip.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

absl::StatusOr<Idx> Parse(std::string bytes, size_t max_bytes) {
  if (IsGzip(bytes)) {
    ASSIGN_OR_RETURN(bytes, Gunzip(bytes, max_bytes));
  }
  return ParseIdx(bytes);
}

}  // namespace

absl::StatusOr<Idx> ReadIdxFile(const std::string& path, size_t max_bytes) {
  // ReadFile's own errors name the file.
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  auto idx = Parse(std::move(bytes), max_bytes);
  if (idx.ok()) return idx;
  return absl::Status(idx.status().code(),
                      absl::StrCat(path, ": ", idx.status().message()));
}

}  // namespace mre
