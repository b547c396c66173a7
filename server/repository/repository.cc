#include "server/repository/repository.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/io/checkpoint.h"

namespace mre {
namespace {

namespace fs = std::filesystem;

constexpr char kFileName[] = "model.safetensors";
constexpr size_t kLongestNamed = 128;

// Names of the directories directly below `path`, sorted.
absl::StatusOr<std::vector<std::string>> Directories(const fs::path& path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entries(path, error);
  for (; !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    std::error_code ignored;
    if (entries->is_directory(ignored)) {
      names.push_back(entries->path().filename().string());
    }
  }
  if (error) {
    return absl::NotFoundError(absl::StrCat(
        "cannot read the directory ", path.string(), ": ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The first keys of a map, for messages that must stay short.
template <typename Map>
std::string FirstNames(const Map& map) {
  constexpr int kMost = 10;
  std::string text;
  int named = 0;
  for (const auto& [key, value] : map) {
    if (named == kMost) {
      return absl::StrCat(text, " and ", map.size() - kMost, " more");
    }
    absl::StrAppend(&text, named++ == 0 ? "" : ", ", key);
  }
  return text;
}

absl::Status LoadVersion(const std::string& path, Precision precision,
                         int64_t max_row_bytes, ServedModel& served) {
  ASSIGN_OR_RETURN(const Model model, LoadCheckpoint(path));
  served.parameters = model.params.size();
  ASSIGN_OR_RETURN(std::shared_ptr<const PackedModel> packed,
                   PackedModel::Create(model, precision));
  if (packed->RowBytes() > max_row_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        path, ": a row takes ", packed->RowBytes(), " bytes, and at most ",
        max_row_bytes,
        " leave this machine's memory room for --max_active_rows and "
        "--max_queued_rows"));
  }
  served.model = std::move(packed);
  return absl::OkStatus();
}

// Whether one of the directories `names` in `root` is a version, so that `root`
// is a model's directory and not a repository.
bool LooksLikeAModel(const fs::path& root,
                     const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    std::error_code ignored;
    return ParseVersion(name) != 0 &&
           fs::is_regular_file(root / name / kFileName, ignored);
  });
}

}  // namespace

int64_t ParseVersion(absl::string_view directory) {
  int64_t version = 0;
  const bool digits =
      std::all_of(directory.begin(), directory.end(), absl::ascii_isdigit);
  if (!digits || directory.empty() || directory.front() == '0' ||
      !absl::SimpleAtoi(directory, &version)) {
    return 0;
  }
  return version;
}

absl::StatusOr<std::unique_ptr<const Repository>> Repository::Load(
    const std::string& root, Precision precision, int64_t max_row_bytes) {
  if (precision == Precision::kBf16 && !CpuHasBf16()) {
    return absl::UnimplementedError(
        "precision bf16: this CPU has neither AVX512-BF16 nor AMX");
  }
  auto repository = std::make_unique<Repository>();
  int64_t found = 0;
  int64_t ready = 0;
  ASSIGN_OR_RETURN(const auto names, Directories(root));
  for (const std::string& name : names) {
    if (!IsModelName(name)) {
      Log(Severity::kWarning,
          absl::StrCat("skipping ", root, "/", name, ": not a model name"));
      continue;
    }
    const auto versions = Directories(fs::path(root) / name);
    if (!versions.ok()) {
      Log(Severity::kError, versions.status().message());
      continue;
    }
    if (std::none_of(versions->begin(), versions->end(), ParseVersion)) {
      Log(Severity::kInfo,
          absl::StrCat("skipping ", root, "/", name,
                       ": no directory in it is named by a version number"));
      continue;
    }
    for (const std::string& directory : *versions) {
      const int64_t version = ParseVersion(directory);
      if (version == 0) {
        Log(Severity::kWarning,
            absl::StrCat("skipping ", root, "/", name, "/", directory,
                         ": not a version number"));
        continue;
      }
      const std::string path =
          (fs::path(root) / name / directory / kFileName).string();
      ServedModel& served = repository->models_[name][version];
      served.name = name;
      served.version = version;
      ++found;
      const absl::Status status =
          LoadVersion(path, precision, max_row_bytes, served);
      if (status.ok()) {
        ++ready;
        Log(Severity::kInfo,
            absl::StrCat("loaded ", name, " version ", version, ", ",
                         served.parameters, " parameters, ",
                         PrecisionName(precision)));
      } else {
        served.error = std::string(status.message());
        Log(Severity::kError, absl::StrCat("refused ", name, " version ",
                                           version, ": ", served.error));
      }
    }
  }
  if (found == 0) {
    return absl::NotFoundError(absl::StrCat(
        "no model below ", root, ": expected <name>/<version>/", kFileName,
        LooksLikeAModel(root, names)
            ? "; it looks like a model itself: did you mean its parent?"
            : ""));
  }
  if (ready == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("all ", found, " models below ", root, " were refused"));
  }
  return repository;
}

absl::StatusOr<const ServedModel*> Repository::Get(absl::string_view name,
                                                   int64_t version) const {
  if (version < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model_version: expected 0 (newest) or a positive version, got ",
        version));
  }
  const auto model = models_.find(std::string(name));
  if (model == models_.end()) {
    return absl::NotFoundError(
        absl::StrCat("model_name: no model \"", name.substr(0, kLongestNamed),
                     "\"; there are: ", FirstNames(models_)));
  }
  const auto& versions = model->second;
  if (version == 0) {
    for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
      if (it->second.ready()) return &it->second;
    }
    return &versions.rbegin()->second;
  }
  const auto it = versions.find(version);
  if (it == versions.end()) {
    return absl::NotFoundError(
        absl::StrCat("model_version: model \"", name, "\" has no version ",
                     version, "; there are: ", FirstNames(versions)));
  }
  return &it->second;
}

absl::StatusOr<const ServedModel*> Repository::Find(absl::string_view name,
                                                    int64_t version) const {
  ASSIGN_OR_RETURN(const ServedModel* served, Get(name, version));
  if (!served->ready()) {
    return absl::UnavailableError(
        absl::StrCat("model \"", name, "\" version ", served->version,
                     " is not ready: ", served->error));
  }
  return served;
}

std::vector<const ServedModel*> Repository::List() const {
  std::vector<const ServedModel*> list;
  for (const auto& [name, versions] : models_) {
    for (const auto& [version, served] : versions) list.push_back(&served);
  }
  return list;
}

}  // namespace mre
