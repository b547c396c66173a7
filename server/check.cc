#include "server/check.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/math/parallel.h"
#include "server/door/door.h"
#include "server/door/exposure.h"
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
  bool good = true;
  const auto check = [&](const absl::Status& status) {
    if (status.ok()) return;
    good = false;
    Log(Severity::kError, status.message());
  };
  check(CheckExposure(config.door, config.host));
  check(Door::Open(config.door).status());
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
  for (const auto& [name, reason] : (*repository)->unreadable()) {
    ++refused;
    std::printf("refused %s: %s\n", name.c_str(), reason.c_str());
  }
  return CheckSettings(config, **repository) && refused == 0 && good ? 0 : 1;
}

}  // namespace mre
