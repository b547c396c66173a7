// One model's Prometheus series, looked up once so that nothing on the hot path
// searches by label.
#ifndef MRE_SERVER_METRICS_MODEL_METRICS_H_
#define MRE_SERVER_METRICS_MODEL_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/metrics/model_statistics.h"
#include "server/metrics/version_series.h"
#include "server/repository/served_model.h"
#include "server/schedule/telemetry.h"

namespace mre {

// Thread-safe.
class ModelMetrics : public ModelTelemetry {
 public:
  // Adds every series of the model to `series`, which are of its version.
  ModelMetrics(const ServedModel& model, std::shared_ptr<VersionSeries> series);

  void RowStarted(absl::Duration queued) override;
  void FirstPrediction(absl::Duration elapsed) override;
  void Stepped(const PassReport& pass) override;
  void ExpertRan(int64_t expert, int64_t rows) override;
  void RanInVain(uint64_t macs) override;
  void RowFinished(StopReason reason, const Progress& progress,
                   uint64_t in_vain, uint32_t asked) override;
  void StepCapChanged(uint32_t steps) override;

  // A call of the model ended.
  void RequestEnded(Method method, absl::StatusCode code) {
    series_->requests().Count(method, code);
  }
  // One whose rows were taken did, `took` after it arrived.
  void RequestTook(absl::Duration took);

  ModelStatistics& statistics() { return statistics_; }

 private:
  const std::shared_ptr<VersionSeries> series_;  // what the pointers point to
  ModelStatistics statistics_;
  const uint64_t full_macs_;  // of a row that runs every expert
  prometheus::Counter* rows_;
  std::array<prometheus::Counter*, kStopReasons> stops_{};
  std::vector<prometheus::Counter*> activations_;  // by expert
  prometheus::Counter* macs_;
  prometheus::Counter* macs_saved_;
  prometheus::Counter* macs_in_vain_;
  prometheus::Counter* steps_asked_;
  prometheus::Counter* steps_granted_;
  prometheus::Gauge* step_cap_;
  prometheus::Histogram* row_steps_;
  prometheus::Histogram* queue_seconds_;
  prometheus::Histogram* first_prediction_seconds_;
  prometheus::Histogram* step_seconds_;
  prometheus::Histogram* request_seconds_;
  prometheus::Histogram* step_rows_;
  prometheus::Histogram* expert_batch_rows_;
  prometheus::Histogram* stop_confidence_;
  prometheus::Histogram* stop_ray_coverage_;
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_MODEL_METRICS_H_
