// Any PredictRequest is refused or can be run: its rows match its input, and
// its budget lets step 0 happen.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "model/engine/engine.h"
#include "proto/mre/v1/anytime.pb.h"
#include "server/service/convert.h"
#include "tests/fuzz/small_model.h"

namespace {

using mre::kMaxRows;
using mre::Make;
using mre::Require;

void RunOn(const mre::ServedModel& served,
           const mre::v1::PredictRequest& message) {
  const auto spec = mre::ParseRequest(message, served, kMaxRows);
  if (!spec.ok()) {
    Require(!spec.status().message().empty());
    return;
  }
  Require(spec->rows >= 1 && spec->rows <= kMaxRows);
  Require(spec->input.size() == spec->rows * 4);
  Require(spec->every >= 1);
  for (const float value : spec->input) Require(std::isfinite(value));
  const uint64_t step_zero = served.model->cost().After(0);
  Require(spec->budget.max_macs == 0 || spec->budget.max_macs >= step_zero);

  const auto engine = mre::Engine::Create(served.model);
  const int row =
      engine->Begin(std::span(spec->input).subspan(0, 4),
                    {spec->sampled, spec->seed, 0}, spec->budget.thresholds);
  engine->Step({&row, 1});
  engine->Step({&row, 1});
  const mre::Thresholds& thresholds = spec->budget.thresholds;
  Require(thresholds.theta_out >= 0 && thresholds.theta_decay >= 0 &&
          thresholds.theta_decay < 1);
  const auto p = engine->probabilities(row);
  mre::Prediction prediction;
  prediction.probabilities.assign(p.begin(), p.end());
  mre::v1::PredictUpdate update;
  mre::FillUpdate({prediction}, message.request_id(), served,
                  mre::ParseOutput(message.output()), &update);
  Require(update.predictions_size() == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const mre::ServedModel* mre_model =
      new mre::ServedModel(Make(mre::Kind::kMre));
  static const mre::ServedModel* rays =
      new mre::ServedModel(Make(mre::Kind::kRaytracing));
  mre::v1::PredictRequest message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  RunOn(*mre_model, message);
  RunOn(*rays, message);
  return 0;
}
