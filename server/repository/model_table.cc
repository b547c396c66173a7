#include "server/repository/model_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"

namespace mre {
namespace {

// What a client sent, as an error repeats it.
absl::string_view Repeated(absl::string_view text) {
  constexpr size_t kMost = 128;
  return Utf8Prefix(text, kMost);
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
  return text.empty() ? "none" : text;
}

}  // namespace

absl::string_view VersionStateName(VersionState state) {
  switch (state) {
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kReady:
      return "READY";
    case VersionState::kUnloading:
      return "UNLOADING";
    case VersionState::kFailed:
    case VersionState::kUnloaded:
      return "UNAVAILABLE";
  }
  return "UNKNOWN";
}

VersionStatus ModelTable::StatusOf(absl::string_view name, int64_t version,
                                   const Version& entry) {
  VersionStatus status = {.name = std::string(name),
                          .version = version,
                          .state = VersionState::kLoading,
                          .reason = entry.reason,
                          .served = entry.served};
  if (entry.served != nullptr) {
    status.state = VersionState::kReady;
    if (entry.failed) {
      status.reason = absl::StrCat(
          "what was loaded before is served; what is "
          "there now was refused: ",
          entry.reason);
    }
  } else if (entry.failed) {
    status.state = VersionState::kFailed;
  }
  return status;
}

absl::StatusOr<const ModelTable::Model*> ModelTable::FindModel(
    absl::string_view name) const {
  const auto model = models_.find(name);
  if (model != models_.end() && !model->second.versions.empty()) {
    return &model->second;
  }
  std::map<absl::string_view, int> there;
  for (const auto& [other, entry] : models_) {
    if (!entry.versions.empty()) there[other] = 0;
  }
  return absl::NotFoundError(
      absl::StrCat("model_name: no model \"", Repeated(name),
                   "\"; there are: ", FirstNames(there)));
}

absl::StatusOr<VersionStatus> ModelTable::Get(absl::string_view name,
                                              int64_t version,
                                              absl::string_view label) const {
  if (version < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model_version: expected 0 (newest) or a positive version, got ",
        version));
  }
  if (version > 0 && !label.empty()) {
    return absl::InvalidArgumentError(
        "model_label: expected nothing beside a model_version");
  }
  absl::ReaderMutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Model* model, FindModel(name));
  if (!label.empty()) {
    const auto labelled = model->labels.find(std::string(label));
    if (labelled == model->labels.end()) {
      return absl::NotFoundError(absl::StrCat(
          "model_label: model \"", name, "\" has no label \"", Repeated(label),
          "\"; there are: ", FirstNames(model->labels)));
    }
    version = labelled->second;
  }
  const auto& versions = model->versions;
  if (version == 0) {
    for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
      if (it->second.served != nullptr) {
        return StatusOf(name, it->first, it->second);
      }
    }
    return StatusOf(name, versions.rbegin()->first, versions.rbegin()->second);
  }
  const auto it = versions.find(version);
  if (it == versions.end()) {
    return absl::NotFoundError(absl::StrCat(
        label.empty() ? "model_version" : "model_label", ": model \"", name,
        "\" has no version ", version,
        label.empty() ? "" : absl::StrCat(", which is \"", label, "\""),
        "; there are: ", FirstNames(versions)));
  }
  return StatusOf(name, version, it->second);
}

absl::StatusOr<std::shared_ptr<const ServedModel>> ModelTable::Find(
    absl::string_view name, int64_t version, absl::string_view label) const {
  ASSIGN_OR_RETURN(VersionStatus status, Get(name, version, label));
  if (status.served != nullptr) return std::move(status.served);
  return absl::UnavailableError(absl::StrCat(
      "model \"", name, "\" version ", status.version, " is not ready: ",
      status.state == VersionState::kLoading ? "it is being loaded"
                                             : status.reason));
}

std::vector<VersionStatus> ModelTable::List() const {
  absl::ReaderMutexLock lock(&mu_);
  std::vector<VersionStatus> list;
  for (const auto& [name, model] : models_) {
    for (const auto& [version, entry] : model.versions) {
      list.push_back(StatusOf(name, version, entry));
    }
  }
  return list;
}

std::vector<ModelTable::LoadCounts> ModelTable::load_counts() const {
  absl::ReaderMutexLock lock(&mu_);
  std::vector<LoadCounts> counts;
  for (const auto& [name, model] : models_) {
    counts.push_back(
        {.name = name, .loaded = model.loads, .refused = model.refusals});
  }
  return counts;
}

void ModelTable::Begin(const std::string& name, int64_t version) {
  absl::MutexLock lock(&mu_);
  models_[name].versions[version];
}

std::shared_ptr<const ServedModel> ModelTable::Serve(
    std::shared_ptr<const ServedModel> served, const FileStamp& stamp) {
  absl::MutexLock lock(&mu_);
  Model& model = models_[served->name];
  ++model.loads;
  Version& entry = model.versions[served->version];
  Version before = std::exchange(entry, Version());
  entry.served = std::move(served);
  entry.loaded = stamp;
  return std::move(before.served);
}

bool ModelTable::Refuse(const std::string& name, int64_t version,
                        const FileStamp& stamp, const std::string& reason) {
  absl::MutexLock lock(&mu_);
  Model& model = models_[name];
  Version& entry = model.versions[version];
  const bool known = entry.failed && entry.refused == stamp &&
                     stamp == FileStamp() && entry.reason == reason;
  if (known) return false;
  ++model.refusals;
  entry.failed = true;
  entry.refused = stamp;
  entry.reason = reason;
  return true;
}

std::shared_ptr<const ServedModel> ModelTable::Withdraw(const std::string& name,
                                                        int64_t version) {
  absl::MutexLock lock(&mu_);
  auto& versions = models_[name].versions;
  const auto it = versions.find(version);
  if (it == versions.end()) return nullptr;
  std::shared_ptr<const ServedModel> served = std::move(it->second.served);
  versions.erase(it);
  return served;
}

void ModelTable::SetLabels(const std::string& name,
                           const std::map<std::string, int64_t>& labels) {
  absl::MutexLock lock(&mu_);
  models_[name].labels = labels;
}

std::map<std::string, int64_t> ModelTable::LabelsOf(
    const std::string& name) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto model = models_.find(name);
  return model == models_.end() ? std::map<std::string, int64_t>()
                                : model->second.labels;
}

ModelTable::Files ModelTable::FilesOf(const std::string& name) const {
  absl::ReaderMutexLock lock(&mu_);
  Files files;
  const auto model = models_.find(name);
  if (model == models_.end()) return files;
  for (const auto& [version, entry] : model->second.versions) {
    if (entry.served != nullptr) files.loaded[version] = entry.loaded;
    if (entry.failed) files.refused[version] = entry.refused;
  }
  return files;
}

std::set<std::string> ModelTable::Names() const {
  absl::ReaderMutexLock lock(&mu_);
  std::set<std::string> names;
  for (const auto& [name, model] : models_) {
    if (!model.versions.empty()) names.insert(name);
  }
  return names;
}

}  // namespace mre
