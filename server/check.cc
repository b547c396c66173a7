#include "server/check.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/math/parallel.h"
#include "server/models.h"
#include "server/repository/repository.h"

namespace mre {

int CheckModels(const ServerConfig& config) {
  SetThreads(config.threads);
  // What is refused the repository logs, each version with its reason.
  const auto repository = OpenRepository(config, /*observer=*/nullptr);
  if (!repository.ok()) {
    Log(Severity::kError, repository.status().message());
    return 1;
  }
  int refused = 0;
  for (const VersionStatus& status : (*repository)->List()) {
    const std::string version =
        absl::StrCat(status.name, " version ", status.version);
    if (status.served != nullptr) {
      std::printf("ok %s, %llu parameters\n", version.c_str(),
                  static_cast<unsigned long long>(status.served->parameters));
    } else {
      ++refused;
      std::printf("refused %s: %s\n", version.c_str(), status.reason.c_str());
    }
  }
  const auto wrong = [&](const std::string& key, const std::string& expected) {
    ++refused;
    Log(Severity::kError, absl::StrCat(config.config_file, ": models.", key,
                                       ": expected ", expected));
  };
  const std::vector<VersionStatus> index = (*repository)->Index();
  for (const auto& [name, settings] : config.models) {
    const auto is_named = [&, &name = name](const VersionStatus& status) {
      return status.name == name;
    };
    if (std::none_of(index.begin(), index.end(), is_named)) {
      wrong(name, absl::StrCat("a model of ", config.model_repository));
      continue;
    }
    // With the explicit control what is not loaded is not served yet.
    if (!(*repository)->Get(name, 0).ok()) continue;
    for (const auto& [label, version] : settings.labels) {
      if ((*repository)->Find(name, 0, label).ok()) continue;
      wrong(absl::StrCat(name, ".labels.", label),
            absl::StrCat("a version that is served, got ", version));
    }
  }
  return refused == 0 ? 0 : 1;
}

}  // namespace mre
