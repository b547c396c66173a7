#include "server/metrics/metrics.h"

#include "absl/strings/str_cat.h"

namespace mre {

Metrics::Metrics(const Repository& repository, absl::string_view version)
    : registry_(std::make_shared<prometheus::Registry>()) {
  requests_ = &prometheus::BuildCounter()
                   .Name("mre_requests_total")
                   .Help("Calls that ended, by gRPC method and status code.")
                   .Register(*registry_);
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
    ready
        .Add(
            {{"model", model->name}, {"version", absl::StrCat(model->version)}})
        .Set(model->ready() ? 1 : 0);
    if (model->ready()) {
      models_[model] = std::make_unique<ModelMetrics>(*model, *registry_);
    }
  }
}

ModelMetrics* Metrics::ForModel(const ServedModel& model) {
  return models_.at(&model).get();
}

void Metrics::RequestEnded(const ServedModel* model, absl::string_view method,
                           absl::string_view code) {
  const std::string name = model == nullptr ? "" : model->name;
  const std::string version =
      model == nullptr ? "" : absl::StrCat(model->version);
  absl::MutexLock lock(&mu_);
  prometheus::Counter*& counter = request_counters_[Key(
      name, version, std::string(method), std::string(code))];
  if (counter == nullptr) {
    counter = &requests_->Add({{"model", name},
                               {"version", version},
                               {"method", std::string(method)},
                               {"code", std::string(code)}});
  }
  counter->Increment();
}

}  // namespace mre
