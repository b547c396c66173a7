// Everything the server counts, by Prometheus name.
#ifndef MRE_SERVER_METRICS_METRICS_H_
#define MRE_SERVER_METRICS_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/metrics/model_metrics.h"
#include "server/metrics/request_counters.h"
#include "server/repository/repository.h"

namespace mre {

// Thread-safe.
class Metrics {
 public:
  // Registers the series of every model. `repository` outlives this; `version`
  // is the server's own, for mre_build_info.
  Metrics(const Repository& repository, absl::string_view version);

  // REQUIRES: model is the repository's and ready.
  ModelMetrics* ForModel(const ServedModel& model);

  // Counts a call that ended. `model` is the repository's, or null when the
  // call did not get as far as naming one.
  void RequestEnded(const ServedModel* model, Method method,
                    absl::StatusCode code);

  void StreamOpened() { open_streams_->Increment(); }
  void StreamClosed() { open_streams_->Decrement(); }

  // To be exposed; the exporter shares it.
  std::shared_ptr<prometheus::Collectable> collectable() const {
    return registry_;
  }

 private:
  struct PerModel {
    std::unique_ptr<RequestCounters> requests;
    std::unique_ptr<ModelMetrics> metrics;  // null: not ready
  };

  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Gauge* open_streams_;
  std::unique_ptr<RequestCounters> no_model_;
  std::map<const ServedModel*, PerModel> models_;  // constant once made
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_METRICS_H_
