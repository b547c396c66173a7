#include "server/metrics/request_counters.h"

#include <utility>

namespace mre {
namespace {

constexpr const char* kMethodNames[kMethods] = {
    "Predict",
    "PredictStream",
    "PredictInteractive",
    "ListModels",
    "GetModel",
    "ModelInfer",
    "ModelStreamInfer",
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelConfig",
    "ModelStatistics",
    "RepositoryIndex",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
    "Unsupported",
};

}  // namespace

absl::string_view MethodName(Method method) {
  return kMethodNames[static_cast<int>(method)];
}

bool IsPrediction(Method method) {
  switch (method) {
    case Method::kPredict:
    case Method::kPredictStream:
    case Method::kPredictInteractive:
    case Method::kModelInfer:
    case Method::kModelStreamInfer:
      return true;
    default:
      return false;
  }
}

prometheus::Family<prometheus::Counter>& RequestsFamily(
    prometheus::Registry& registry) {
  return prometheus::BuildCounter()
      .Name("mre_requests_total")
      .Help("Calls that ended, by gRPC method and status code.")
      .Register(registry);
}

RequestCounters::RequestCounters(
    prometheus::Family<prometheus::Counter>& family, prometheus::Labels labels)
    : family_(family), labels_(std::move(labels)) {}

RequestCounters::~RequestCounters() {
  for (const auto& codes : counters_) {
    for (const auto& counter : codes) {
      if (counter.load() != nullptr) family_.Remove(counter.load());
    }
  }
}

void RequestCounters::Count(Method method, absl::StatusCode code) {
  const int row = static_cast<int>(method);
  int column = static_cast<int>(code);
  if (column < 0 || column >= kCodes) {
    code = absl::StatusCode::kUnknown;
    column = static_cast<int>(code);
  }
  std::atomic<prometheus::Counter*>& place = counters_[row][column];
  prometheus::Counter* counter = place.load(std::memory_order_acquire);
  if (counter == nullptr) {
    prometheus::Labels labels = labels_;
    labels["method"] = kMethodNames[row];
    labels["code"] = absl::StatusCodeToString(code);
    // Two threads that come here at once are given the same series.
    counter = &family_.Add(labels);
    place.store(counter, std::memory_order_release);
  }
  counter->Increment();
}

}  // namespace mre
