// Everything the server counts, by Prometheus name.
#ifndef MRE_SERVER_METRICS_METRICS_H_
#define MRE_SERVER_METRICS_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/model_metrics.h"
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

  // Counts a call that ended. `model` is null when the call did not get as far
  // as naming a model that exists.
  void RequestEnded(const ServedModel* model, absl::string_view method,
                    absl::string_view code);

  void StreamOpened() { open_streams_->Increment(); }
  void StreamClosed() { open_streams_->Decrement(); }

  // To be exposed; the exporter shares it.
  std::shared_ptr<prometheus::Collectable> collectable() const {
    return registry_;
  }

 private:
  using Key = std::tuple<std::string, std::string, std::string, std::string>;

  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>* requests_;
  prometheus::Gauge* open_streams_;
  std::map<const ServedModel*, std::unique_ptr<ModelMetrics>> models_;

  absl::Mutex mu_;
  std::map<Key, prometheus::Counter*> request_counters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_METRICS_H_
