#include "server/check.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/math/parallel.h"
#include "server/models.h"
#include "server/repository/repository.h"

namespace mre {

namespace {

// Whether there is what the file's "models" speaks of; logs what is not.
bool CheckSettings(const ServerConfig& config, const Repository& repository) {
  bool good = true;
  const auto check = [&](const std::string& place, const std::string& name,
                         int64_t version) {
    const absl::Status status = repository.Get(name, version).status();
    if (status.ok()) return;
    good = false;
    Log(Severity::kError, absl::StrCat(config.config_file, ": models.", name,
                                       place, ": ", status.message()));
  };
  for (const auto& [name, settings] : config.models) {
    check("", name, 0);
    for (const auto& [label, version] : settings.labels) {
      check(absl::StrCat(".labels.", label), name, version);
    }
  }
  return good;
}

}  // namespace

int CheckModels(const ServerConfig& config) {
  SetThreads(config.threads);
  // What is refused the repository logs, each version with its reason.
  const auto repository = LoadModels(config);
  if (!repository.ok()) {
    Log(Severity::kError, repository.status().message());
    return 1;
  }
  int refused = 0;
  for (const ServedModel* served : (*repository)->List()) {
    const std::string version =
        absl::StrCat(served->name, " version ", served->version);
    if (served->ready()) {
      WarmUp(*served);
      std::printf("ok %s, %llu parameters\n", version.c_str(),
                  static_cast<unsigned long long>(served->parameters));
    } else {
      ++refused;
      std::printf("refused %s: %s\n", version.c_str(), served->error.c_str());
    }
  }
  return CheckSettings(config, **repository) && refused == 0 ? 0 : 1;
}

}  // namespace mre
