#include "server/metrics/metrics.h"

#include "absl/strings/str_cat.h"

namespace mre {

Metrics::Metrics(const Repository& repository, absl::string_view version)
    : registry_(std::make_shared<prometheus::Registry>()) {
  auto& requests =
      prometheus::BuildCounter()
          .Name("mre_requests_total")
          .Help("Calls that ended, by gRPC method and status code.")
          .Register(*registry_);
  no_model_ = std::make_unique<RequestCounters>(
      requests, prometheus::Labels{{"model", ""}, {"version", ""}});
  open_streams_ = &prometheus::BuildGauge()
                       .Name("mre_open_streams")
                       .Help("Streaming calls that are open.")
                       .Register(*registry_)
                       .Add({});
  prometheus::BuildGauge()
      .Name("mre_build_info")
      .Help("Always 1; the labels say what runs.")
      .Register(*registry_)
      .Add({{"version", std::string(version)}})
      .Set(1);
  auto& ready = prometheus::BuildGauge()
                    .Name("mre_model_ready")
                    .Help("1 when the version can be served, else 0.")
                    .Register(*registry_);
  for (const ServedModel* model : repository.List()) {
    const prometheus::Labels labels = {
        {"model", model->name}, {"version", absl::StrCat(model->version)}};
    ready.Add(labels).Set(model->ready() ? 1 : 0);
    PerModel& per_model = models_[model];
    per_model.requests = std::make_unique<RequestCounters>(requests, labels);
    if (model->ready()) {
      per_model.metrics = std::make_unique<ModelMetrics>(*model, *registry_);
    }
  }
}

ModelMetrics* Metrics::ForModel(const ServedModel& model) {
  return models_.at(&model).metrics.get();
}

void Metrics::RequestEnded(const ServedModel* model, Method method,
                           absl::StatusCode code) {
  if (model == nullptr) {
    no_model_->Count(method, code);
    return;
  }
  models_.at(model).requests->Count(method, code);
}

}  // namespace mre
