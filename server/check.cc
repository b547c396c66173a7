#include "server/check.h"

#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/math/parallel.h"
#include "server/models.h"
#include "server/repository/repository.h"

namespace mre {

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
  for (const auto& [name, settings] : config.models) {
    if ((*repository)->Get(name, 0).ok()) continue;
    ++refused;
    Log(Severity::kError,
        absl::StrCat(config.config_file, ": models.", name,
                     ": expected a model of ", config.model_repository));
  }
  return refused == 0 ? 0 : 1;
}

}  // namespace mre
