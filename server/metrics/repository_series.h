// What the page says of the repository, read when it is scraped.
#ifndef MRE_SERVER_METRICS_REPOSITORY_SERIES_H_
#define MRE_SERVER_METRICS_REPOSITORY_SERIES_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "server/repository/repository.h"

namespace mre {

// mre_model_ready{model,version}: 1 when the version can be asked for, 0 when
// its file was refused or it is being loaded; and
// mre_model_loads_total{model,result="loaded"|"refused"}. Thread-safe.
class RepositorySeries : public prometheus::Collectable {
 public:
  // The repository outlives every scrape.
  explicit RepositorySeries(const Repository& repository)
      : repository_(repository) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Repository& repository_;
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_REPOSITORY_SERIES_H_
