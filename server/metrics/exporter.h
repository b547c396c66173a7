// Serves GET /metrics.
#ifndef MRE_SERVER_METRICS_EXPORTER_H_
#define MRE_SERVER_METRICS_EXPORTER_H_

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mre {

// Runs its own threads until destroyed.
class Exporter {
 public:
  // Listens on address, "HOST:PORT"; port 0 takes a free one. UNAVAILABLE when
  // it cannot be bound.
  static absl::StatusOr<std::unique_ptr<Exporter>> Start(
      const std::string& address,
      std::vector<std::shared_ptr<prometheus::Collectable>> collectables);

  ~Exporter();

  int port() const { return port_; }

 private:
  Exporter(std::unique_ptr<prometheus::Exposer> exposer, std::string address,
           int port,
           std::vector<std::shared_ptr<prometheus::Collectable>> collectables);

  // The exposer keeps only weak pointers.
  const std::vector<std::shared_ptr<prometheus::Collectable>> collectables_;
  std::unique_ptr<prometheus::Exposer> exposer_;
  const std::string address_;  // without a port of 0
  const int port_;
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_EXPORTER_H_
