#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/gzip_file.h"
#include "model/base/status_macros.h"
#include "model/data/loaders.h"
#include "model/data/text_windows.h"

namespace mre {
namespace {

// Most bytes that an unpacked text may have.
constexpr size_t kMaxTextBytes = size_t{1} << 28;

}  // namespace

absl::StatusOr<Dataset> LoadText(const std::string& path, int64_t window) {
  std::error_code ignored;
  const std::string file = std::filesystem::is_directory(path, ignored)
                               ? PackedOrPlain(absl::StrCat(path, "/input.txt"))
                               : path;
  ASSIGN_OR_RETURN(const std::string text, ReadGzipFile(file, kMaxTextBytes));
  auto task = CutWindows(text, static_cast<size_t>(window));
  if (!task.ok()) return AtPath(file, task.status());
  Dataset data;
  data.text = true;
  data.shape = {1, window, 1};
  data.classes = std::move(task->classes);
  data.train = std::move(task->train);
  data.test = std::move(task->test);
  return data;
}

}  // namespace mre
