// Which engine runs which kind; the only place that knows them all.
#include <utility>

#include "model/engine/engine.h"
#include "model/engine/mre_engine.h"
#include "model/engine/packed_model.h"
#include "model/engine/packed_mre.h"
#include "model/engine/packed_raytracing.h"
#include "model/engine/packed_stack.h"
#include "model/engine/raytracing_engine.h"
#include "model/engine/stack_engine.h"

namespace mre {

absl::StatusOr<std::unique_ptr<const PackedModel>> PackedModel::Create(
    const Model& model, Precision precision) {
  switch (model.config.kind) {
    case Kind::kMre:
      return PackedMre::Create(model, precision);
    case Kind::kTopk:
    case Kind::kPathmoe:
    case Kind::kAdak:
    case Kind::kMlp:
    case Kind::kCnn:
      return PackedStack::Create(model, precision);
    case Kind::kRaytracing:
      return PackedRaytracing::Create(model, precision);
  }
  return absl::InternalError("a kind without an engine");
}

std::unique_ptr<Engine> Engine::Create(std::shared_ptr<const PackedModel> model,
                                       const Options& options) {
  switch (model->config().kind) {
    case Kind::kMre:
      return std::make_unique<MreEngine>(
          std::static_pointer_cast<const PackedMre>(std::move(model)), options);
    case Kind::kTopk:
    case Kind::kPathmoe:
    case Kind::kAdak:
    case Kind::kMlp:
    case Kind::kCnn:
      return std::make_unique<StackEngine>(
          std::static_pointer_cast<const PackedStack>(std::move(model)),
          options);
    case Kind::kRaytracing:
      return std::make_unique<RaytracingEngine>(
          std::static_pointer_cast<const PackedRaytracing>(std::move(model)),
          options);
  }
  return nullptr;
}

}  // namespace mre
