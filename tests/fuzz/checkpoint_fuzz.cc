// Any bytes are refused or make a model that runs.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/engine.h"
#include "model/io/checkpoint.h"
#include "model/net/kinds.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void RunTwoSteps(const mre::Model& model) {
  auto packed = mre::PackedModel::Create(model, mre::Precision::kF32);
  Require(packed.ok());
  const auto engine = mre::Engine::Create(*std::move(packed));
  const std::vector<float> input(model.config.input.size(), 1.0f);
  const int row = engine->Begin(input, {});
  engine->Step({&row, 1});  // step 0
  for (int step = 0; step < 2 && !engine->progress(row).exhausted; ++step) {
    engine->Step({&row, 1});
    // A step of this kind may wake no block.
    Require(engine->step_info(row).expert >= 0 ||
            model.config.kind == mre::Kind::kRaytracing);
  }
  Require(engine->probabilities(row).size() == model.config.classes.size());
  engine->End(row);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto model =
      mre::ParseCheckpoint(std::as_bytes(std::span<const uint8_t>(data, size)));
  if (!model.ok()) {
    Require(!model.status().message().empty());
    return 0;
  }
  Require(mre::Validate(model->config).ok());
  Require(static_cast<int64_t>(model->params.size()) ==
          mre::ParamsOf(model->config).total);
  for (const float value : model->params) Require(std::isfinite(value));
  RunTwoSteps(*model);
  return 0;
}
