#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/data/cifar10.h"
#include "model/data/loaders.h"

namespace mre {
namespace {

constexpr int kTrainingFiles = 5;

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

absl::Status AppendFile(const std::string& path, Split& split) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  const auto part = ParseCifar10(bytes);
  if (!part.ok()) return AtPath(path, part.status());
  split.images.insert(split.images.end(), part->images.begin(),
                      part->images.end());
  split.labels.insert(split.labels.end(), part->labels.begin(),
                      part->labels.end());
  return absl::OkStatus();
}

// Replaces `classes` by the names in the file, if there is one.
absl::Status ReadNames(const std::string& path,
                       std::vector<std::string>& classes) {
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  const auto names = ParseCifar10Names(*text);
  if (!names.ok()) return AtPath(path, names.status());
  classes = *names;
  return absl::OkStatus();
}

absl::Status ReadFiles(const std::string& dir, Dataset& data) {
  for (int i = 1; i <= kTrainingFiles; ++i) {
    RETURN_IF_ERROR(
        AppendFile(absl::StrCat(dir, "/data_batch_", i, ".bin"), data.train));
  }
  RETURN_IF_ERROR(AppendFile(absl::StrCat(dir, "/test_batch.bin"), data.test));
  return ReadNames(absl::StrCat(dir, "/batches.meta.txt"), data.classes);
}

// How to unpack the archive in `dir`; empty when there is none.
std::string UnpackingHint(const std::string& dir) {
  const std::string stem = absl::StrCat(dir, "/cifar-10-binary.tar.");
  for (const auto& [suffix, flags] :
       {std::pair{"xz", "xJf"}, std::pair{"gz", "xzf"}}) {
    const std::string archive = absl::StrCat(stem, suffix);
    if (Exists(archive)) {
      return absl::StrCat("; unpack the archive first: tar ", flags, " ",
                          archive, " -C ", dir);
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<Dataset> LoadCifar10(const std::string& dir,
                                    const std::vector<std::string>& classes) {
  Dataset data;
  data.shape = {kCifar10Side, kCifar10Side, kCifar10Channels};
  data.classes = classes;
  const std::string below = absl::StrCat(dir, "/cifar-10-batches-bin");
  const absl::Status status = ReadFiles(Exists(below) ? below : dir, data);
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(
        absl::StrCat(status.message(), UnpackingHint(dir)));
  }
  RETURN_IF_ERROR(status);
  return data;
}

}  // namespace mre
