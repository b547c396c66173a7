#include "server/metrics/exporter.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mre {

Exporter::Exporter(
    std::unique_ptr<prometheus::Exposer> exposer, int port,
    std::vector<std::shared_ptr<prometheus::Collectable>> collectables)
    : collectables_(std::move(collectables)),
      exposer_(std::move(exposer)),
      port_(port) {
  for (const auto& collectable : collectables_) {
    exposer_->RegisterCollectable(collectable);
  }
}

absl::StatusOr<std::unique_ptr<Exporter>> Exporter::Start(
    const std::string& address,
    std::vector<std::shared_ptr<prometheus::Collectable>> collectables) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, 1);
    const std::vector<int> ports = exposer->GetListeningPorts();
    if (ports.empty()) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", address));
    }
    return std::unique_ptr<Exporter>(
        new Exporter(std::move(exposer), ports[0], std::move(collectables)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on ", address, ": ", error.what()));
  }
}

}  // namespace mre
