#include "server/metrics/repository_series.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mre {
namespace {

using Label = prometheus::ClientMetric::Label;

}  // namespace

std::vector<prometheus::MetricFamily> RepositorySeries::Collect() const {
  prometheus::MetricFamily ready = {
      .name = "mre_model_ready",
      .help = "1 when the version can be asked for, else 0.",
      .type = prometheus::MetricType::Gauge,
      .metric = {}};
  for (const VersionStatus& status : repository_.List()) {
    prometheus::ClientMetric metric;
    metric.label = {
        Label{.name = "model", .value = status.name},
        Label{.name = "version", .value = absl::StrCat(status.version)}};
    metric.gauge.value = status.state == VersionState::kReady ? 1 : 0;
    ready.metric.push_back(std::move(metric));
  }
  prometheus::MetricFamily loads = {
      .name = "mre_model_loads_total",
      .help =
          "Versions of the model that were loaded, and files that were "
          "refused.",
      .type = prometheus::MetricType::Counter,
      .metric = {}};
  for (const ModelTable::LoadCounts& counts : repository_.load_counts()) {
    for (const auto& [result, count] : {std::pair("loaded", counts.loaded),
                                        std::pair("refused", counts.refused)}) {
      prometheus::ClientMetric metric;
      metric.label = {Label{.name = "model", .value = counts.name},
                      Label{.name = "result", .value = result}};
      metric.counter.value = static_cast<double>(count);
      loads.metric.push_back(std::move(metric));
    }
  }
  return {std::move(ready), std::move(loads)};
}

}  // namespace mre
