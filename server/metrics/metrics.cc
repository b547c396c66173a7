#include "server/metrics/metrics.h"

namespace mre {

Metrics::Metrics(absl::string_view version)
    : registry_(std::make_shared<prometheus::Registry>()),
      requests_(prometheus::BuildCounter()
                    .Name("mre_requests_total")
                    .Help("Calls that ended, by gRPC method and status code.")
                    .Register(*registry_)),
      open_streams_(&prometheus::BuildGauge()
                         .Name("mre_open_streams")
                         .Help("Streaming calls that are open.")
                         .Register(*registry_)
                         .Add({})),
      no_model_(requests_, {{"model", ""}, {"version", ""}}) {
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
  std::shared_ptr<PerVersion> version = known.lock();
  if (version == nullptr) {
    version = std::make_shared<PerVersion>(model, *registry_, requests_);
    known = version;
  }
  auto metrics = std::make_unique<ModelMetrics>(model, version->series);
  absl::MutexLock lock(&mu_);
  models_[&model] = {.version = std::move(version),
                     .metrics = std::move(metrics)};
}

void Metrics::Remove(const ServedModel* model) {
  {
    PerModel removed;
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
  return models_.at(&model).metrics.get();
}

void Metrics::RequestEnded(const ServedModel* model, Method method,
                           absl::StatusCode code) {
  if (model == nullptr) {
    no_model_.Count(method, code);
    return;
  }
  absl::ReaderMutexLock lock(&mu_);
  models_.at(model).version->requests.Count(method, code);
}

}  // namespace mre
