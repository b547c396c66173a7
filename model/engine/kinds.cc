// Which engine runs which kind; the only place that knows them all.
#include <utility>

#include "model/engine/engine.h"
#include "model/engine/mre_engine.h"
#include "model/engine/packed_model.h"
#include "model/engine/packed_mre.h"
#include "model/engine/packed_stack.h"
#include "model/engine/stack_engine.h"

namespace mre {

absl::StatusOr<std::unique_ptr<const PackedModel>> PackedModel::Create(
    const Model& model, Precision precision) {
  return model.config.kind == Kind::kMre
             ? PackedMre::Create(model, precision)
             : PackedStack::Create(model, precision);
}

std::unique_ptr<Engine> Engine::Create(std::shared_ptr<const PackedModel> model,
                                       const Options& options) {
  if (model->config().kind == Kind::kMre) {
    return std::make_unique<MreEngine>(
        std::static_pointer_cast<const PackedMre>(std::move(model)), options);
  }
  return std::make_unique<StackEngine>(
      std::static_pointer_cast<const PackedStack>(std::move(model)), options);
}

}  // namespace mre
