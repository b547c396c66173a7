// Any PredictRequest is refused or can be run: its rows match its input, and
// its budget lets step 0 happen.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "model/engine/engine.h"
#include "model/net/kinds.h"
#include "proto/mre/v1/anytime.pb.h"
#include "server/service/convert.h"

namespace {

constexpr int64_t kMaxRows = 4;

void Require(bool holds) {
  if (!holds) std::abort();
}

// Two layers of two experts on inputs of 2x2x1.
mre::ServedModel Make(mre::Kind kind) {
  mre::Model model;
  mre::ModelConfig& config = model.config;
  config.kind = kind;
  config.input = {{2, 2, 1}, 0.5, {0.5}, {0.5}};
  config.width = 3;
  config.layers = 2;
  config.experts = 2;
  config.hidden = 4;
  config.context = 2;
  config.classes = {"a", "b", "c"};
  Require(mre::Validate(config).ok());
  model.params.assign(mre::ParamsOf(config).total, 0.125f);
  mre::ServedModel made;
  made.name = "m";
  made.version = 1;
  made.model = *mre::PackedModel::Create(model, mre::Precision::kF32);
  return made;
}

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
