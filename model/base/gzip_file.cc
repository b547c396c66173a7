#include "model/base/gzip_file.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/gzip.h"
#include "model/base/status_macros.h"

namespace mre {

absl::StatusOr<std::string> ReadGzipFile(const std::string& path,
                                         size_t max_bytes) {
  // ReadFile's own errors name the file.
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  if (!IsGzip(bytes)) return bytes;
  auto content = Gunzip(bytes, max_bytes);
  if (content.ok()) return content;
  return AtPath(path, content.status());
}

std::string PackedOrPlain(const std::string& stem) {
  const std::string packed = absl::StrCat(stem, ".gz");
  std::error_code ignored;
  return std::filesystem::exists(packed, ignored) ? packed : stem;
}

}  // namespace mre
