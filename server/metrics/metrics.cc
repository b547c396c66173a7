#include "server/metrics/metrics.h"

namespace mre {

Metrics::Metrics(absl::string_view version)
    : registry_(std::make_shared<prometheus::Registry>()),
      open_streams_(&prometheus::BuildGauge()
                         .Name("mre_open_streams")
                         .Help("Streaming calls that are open.")
                         .Register(*registry_)
                         .Add({})),
      no_model_(RequestsFamily(*registry_), {{"model", ""}, {"version", ""}}) {
  prometheus::BuildGauge()
      .Name("mre_build_info")
      .Help("Always 1; the labels say what runs.")
      .Register(*registry_)
      .Add({{"version", std::string(version)}})
      .Set(1);
}

// The series are made and taken away without the lock, for which calls wait.

void Metrics::Add(const ServedModel& model) {
  auto& known = versions_[{model.name, model.version}];
  std::shared_ptr<VersionSeries> series = known.lock();
  if (series == nullptr) {
    series =
        std::make_shared<VersionSeries>(model.name, model.version, *registry_);
    known = series;
  }
  auto metrics = std::make_unique<ModelMetrics>(model, std::move(series));
  absl::MutexLock lock(&mu_);
  models_[&model] = std::move(metrics);
}

void Metrics::Remove(const ServedModel* model) {
  {
    std::unique_ptr<ModelMetrics> removed;
    absl::MutexLock lock(&mu_);
    const auto it = models_.find(model);
    removed = std::move(it->second);
    models_.erase(it);
  }
  std::erase_if(versions_,
                [](const auto& entry) { return entry.second.expired(); });
}

ModelMetrics* Metrics::ForModel(const ServedModel& model) const {
  absl::ReaderMutexLock lock(&mu_);
  return models_.at(&model).get();
}

}  // namespace mre
