#include "server/metrics/model_metrics.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace mre {
namespace {

using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// `steps` times 10^low and each power of ten up to 10^(high - 1), then 10^high.
Buckets Decades(int low, int high, const std::vector<double>& steps) {
  Buckets buckets;
  for (int exponent = low; exponent < high; ++exponent) {
    for (const double step : steps) {
      buckets.push_back(step * std::pow(10.0, exponent));
    }
  }
  buckets.push_back(std::pow(10.0, high));
  return buckets;
}

// 10 us to 10 s.
Buckets Seconds() { return Decades(-5, 1, {1, 2.5, 5}); }

Buckets PowersOfTwo(int last) {
  Buckets buckets;
  for (int i = 0; i <= last; ++i) buckets.push_back(std::ldexp(1.0, i));
  return buckets;
}

Buckets Shares() {
  return {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1};
}

Buckets StepCounts(int64_t experts) {
  Buckets buckets = {0, 1, 2, 3, 4, 6, 8, 12, 16, 24};
  for (double steps = 32; steps < experts; steps *= 2) buckets.push_back(steps);
  buckets.push_back(static_cast<double>(std::max<int64_t>(experts, 32)));
  return buckets;
}

}  // namespace

ModelMetrics::ModelMetrics(const ServedModel& model,
                           std::shared_ptr<VersionSeries> of_version)
    : series_(std::move(of_version)),
      statistics_(model.model->max_steps()),
      full_macs_(model.model->cost().After(model.model->max_steps())) {
  VersionSeries& series = *series_;
  rows_ = series.Counter("mre_rows_total", "Rows that got a final prediction.");
  for (int reason = 1; reason < kStopReasons; ++reason) {
    stops_[reason] = series.Counter(
        "mre_stops_total", "Rows by the reason they stopped for.",
        {{"reason",
          std::string(StopReasonName(static_cast<StopReason>(reason)))}});
  }
  const ModelConfig& config = model.model->config();
  for (int64_t e = 0; e < config.total_experts(); ++e) {
    activations_.push_back(series.Counter(
        "mre_expert_activations_total",
        "Rows that ran the expert; a raytracing may run a block several times "
        "for one row, and each counts.",
        {{"layer", absl::StrCat(e / config.experts)},
         {"expert", absl::StrCat(e % config.experts)}}));
  }
  macs_ = series.Counter(
      "mre_macs_total", "Multiply-accumulates spent on steps that were shown.");
  macs_in_vain_ = series.Counter(
      "mre_macs_in_vain_total",
      "Multiply-accumulates spent on steps ahead of a row that then stopped.");
  macs_saved_ = series.Counter(
      "mre_macs_saved_total",
      "Multiply-accumulates that rows did not spend because a limit stopped "
      "them; at most, for kinds whose steps differ in cost.");
  steps_asked_ = series.Counter(
      "mre_steps_asked_total",
      "Steps that rows asked for: those they ran, and of rows that overload "
      "stopped those that their limits on steps and MACs allowed.");
  steps_granted_ = series.Counter("mre_steps_granted_total",
                                  "Steps that rows which asked were given.");
  step_cap_ = series.Gauge(
      "mre_step_cap",
      "Steps that a row may run now, if any has been asked for; all of the "
      "model's unless overloaded.");
  step_cap_->Set(model.model->max_steps());
  row_steps_ =
      series.Distribution("mre_row_steps", "Steps run by rows that stopped.",
                          StepCounts(model.model->max_steps()));
  queue_seconds_ = series.Distribution(
      "mre_queue_seconds", "From a row's admission to its start.", Seconds());
  first_prediction_seconds_ = series.Distribution(
      "mre_first_prediction_seconds",
      "From a row's admission to its first prediction.", Seconds());
  step_seconds_ = series.Distribution("mre_step_seconds",
                                      "Length of one engine step, with what it "
                                      "computes ahead.",
                                      Seconds());
  request_seconds_ = series.Distribution(
      "mre_request_seconds",
      "From the arrival of a request that was admitted to its end.", Seconds());
  step_rows_ = series.Distribution(
      "mre_step_rows", "Rows that shared one engine step.", PowersOfTwo(12));
  expert_batch_rows_ = series.Distribution("mre_expert_batch_rows",
                                           "Rows that shared one expert's "
                                           "products.",
                                           PowersOfTwo(12));
  stop_confidence_ =
      series.Distribution("mre_stop_confidence",
                          "Largest probability when a row stopped.", Shares());
  stop_ray_coverage_ = series.Distribution(
      "mre_stop_ray_coverage", "Ray coverage when a row stopped.", Shares());
}

void ModelMetrics::RowStarted(absl::Duration queued) {
  statistics_.RowStarted(queued);
  queue_seconds_->Observe(absl::ToDoubleSeconds(queued));
}

void ModelMetrics::FirstPrediction(absl::Duration elapsed) {
  first_prediction_seconds_->Observe(absl::ToDoubleSeconds(elapsed));
}

void ModelMetrics::Stepped(const PassReport& pass) {
  statistics_.Stepped(pass);
  macs_->Increment(static_cast<double>(pass.macs));
  step_seconds_->Observe(absl::ToDoubleSeconds(pass.took));
  step_rows_->Observe(static_cast<double>(pass.rows));
}

void ModelMetrics::ExpertRan(int64_t expert, int64_t rows) {
  activations_[expert]->Increment(static_cast<double>(rows));
  expert_batch_rows_->Observe(static_cast<double>(rows));
}

void ModelMetrics::RanInVain(uint64_t macs) {
  macs_in_vain_->Increment(static_cast<double>(macs));
}

void ModelMetrics::RowFinished(StopReason reason, const Progress& progress,
                               uint64_t in_vain, uint32_t asked) {
  statistics_.RowFinished();
  rows_->Increment();
  stops_[static_cast<int>(reason)]->Increment();
  // One that ends by itself has saved nothing, and what overload took nobody
  // wanted saved; of kinds whose rows differ in what all their steps cost,
  // full_macs_ is the most.
  if (reason != StopReason::kExhausted && reason != StopReason::kOverload) {
    macs_saved_->Increment(
        static_cast<double>(full_macs_ - progress.macs - in_vain));
  }
  steps_asked_->Increment(asked);
  steps_granted_->Increment(progress.step);
  row_steps_->Observe(progress.step);
  stop_confidence_->Observe(progress.confidence);
  stop_ray_coverage_->Observe(progress.ray_coverage);
}

void ModelMetrics::StepCapChanged(uint32_t steps) { step_cap_->Set(steps); }

void ModelMetrics::RequestTook(absl::Duration took) {
  request_seconds_->Observe(absl::ToDoubleSeconds(took));
}

}  // namespace mre
