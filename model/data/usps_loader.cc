#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/gzip_file.h"
#include "model/base/status_macros.h"
#include "model/data/loaders.h"
#include "model/data/usps.h"

namespace mre {
namespace {

// Most bytes that an unpacked file may have; the real ones have 15 million.
constexpr size_t kMaxTextBytes = size_t{1} << 28;

absl::StatusOr<Split> ReadSplit(const std::string& stem) {
  const std::string path = PackedOrPlain(stem);
  ASSIGN_OR_RETURN(const std::string text, ReadGzipFile(path, kMaxTextBytes));
  auto split = ParseUsps(text);
  if (split.ok()) return split;
  return AtPath(path, split.status());
}

}  // namespace

absl::StatusOr<Dataset> LoadUsps(const std::string& dir,
                                 const std::vector<std::string>& classes) {
  Dataset data;
  data.shape = {kUspsSide, kUspsSide, 1};
  data.classes = classes;
  ASSIGN_OR_RETURN(data.train, ReadSplit(absl::StrCat(dir, "/zip.train")));
  ASSIGN_OR_RETURN(data.test, ReadSplit(absl::StrCat(dir, "/zip.test")));
  return data;
}

}  // namespace mre
