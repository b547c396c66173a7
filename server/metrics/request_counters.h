// The series of mre_requests_total that one model has.
#ifndef MRE_SERVER_METRICS_REQUEST_COUNTERS_H_
#define MRE_SERVER_METRICS_REQUEST_COUNTERS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/labels.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mre {

enum class Method {
  kPredict,
  kPredictStream,
  kPredictInteractive,
  kListModels,
  kGetModel,
  kModelInfer,
  kModelStreamInfer,
  kServerLive,
  kServerReady,
  kModelReady,
  kServerMetadata,
  kModelMetadata,
  kModelConfig,
  kModelStatistics,
  kRepositoryIndex,
  kRepositoryModelLoad,
  kRepositoryModelUnload,
  kUnsupported,  // any of those that are there to be refused
};
inline constexpr int kMethods = 18;

// True of those that run rows.
bool IsPrediction(Method method);

// "Predict", ...
absl::string_view MethodName(Method method);

// The family mre_requests_total.
prometheus::Family<prometheus::Counter>& RequestsFamily(
    prometheus::Registry& registry);

// Thread-safe. A series appears in the family with its first call and is not
// searched for by its labels again.
class RequestCounters {
 public:
  // `labels`: model and version. The family outlives this.
  RequestCounters(prometheus::Family<prometheus::Counter>& family,
                  prometheus::Labels labels);
  // Takes them out of the family.
  ~RequestCounters();

  void Count(Method method, absl::StatusCode code);

 private:
  static constexpr int kCodes = 17;  // of gRPC, which absl's equal

  prometheus::Family<prometheus::Counter>& family_;
  const prometheus::Labels labels_;
  std::array<std::array<std::atomic<prometheus::Counter*>, kCodes>, kMethods>
      counters_{};
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_REQUEST_COUNTERS_H_
