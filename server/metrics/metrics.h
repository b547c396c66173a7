// Everything the server counts, by Prometheus name.
#ifndef MRE_SERVER_METRICS_METRICS_H_
#define MRE_SERVER_METRICS_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/model_metrics.h"
#include "server/metrics/request_counters.h"
#include "server/metrics/version_series.h"
#include "server/repository/served_model.h"

namespace mre {

// Thread-safe.
class Metrics {
 public:
  // `version` is the server's own, for mre_build_info.
  explicit Metrics(absl::string_view version);

  // Of a model that is about to be served: registers its series. Calls of this
  // and of Remove come one after the other.
  void Add(const ServedModel& model);
  // Of one that was added, has no calls any more, and may not exist any more.
  void Remove(const ServedModel* model);

  // The same object between Add and Remove. REQUIRES: model was added.
  ModelMetrics* ForModel(const ServedModel& model) const;

  // Counts a call that ended without getting as far as finding a model.
  void RequestEnded(Method method, absl::StatusCode code) {
    no_model_.Count(method, code);
  }

  void StreamOpened() { open_streams_->Increment(); }
  void StreamClosed() { open_streams_->Decrement(); }

  // To be exposed; the exporter shares it.
  std::shared_ptr<prometheus::Collectable> collectable() const {
    return registry_;
  }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Gauge* open_streams_;
  RequestCounters no_model_;
  // Of Add and Remove: what all that are served under one name and version
  // share.
  std::map<std::pair<std::string, int64_t>, std::weak_ptr<VersionSeries>>
      versions_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<const ServedModel*, std::unique_ptr<ModelMetrics>> models_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_METRICS_H_
