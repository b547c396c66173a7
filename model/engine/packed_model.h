// A model ready to run: weights packed for the CPU. What the server knows of a
// model, whatever its kind.
#ifndef MRE_MODEL_ENGINE_PACKED_MODEL_H_
#define MRE_MODEL_ENGINE_PACKED_MODEL_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "model/engine/cost.h"
#include "model/math/kernels.h"
#include "model/net/params.h"

namespace mre {

// Immutable once created, so safe to share between threads. Engine::Create runs
// it.
class PackedModel {
 public:
  // `precision` is that of the experts and the head. Stem and routers always
  // run in f32: the order of experts of an "mre" is the same in every
  // precision. UNIMPLEMENTED when the CPU lacks it.
  static absl::StatusOr<std::unique_ptr<const PackedModel>> Create(
      const Model& model, Precision precision);
  virtual ~PackedModel() = default;

  const ModelConfig& config() const { return config_; }
  const Cost& cost() const { return cost_; }
  Precision precision() const { return precision_; }
  // Steps until a row is exhausted.
  uint32_t max_steps() const { return max_steps_; }
  // Memory that an engine may take for one row: its run state, and what a step
  // works in. Engines grow by doubling, so they may take twice that.
  virtual int64_t RowBytes() const = 0;

 protected:
  // What an engine notes of a row beside numbers that grow with the model, and
  // of a step that it plans.
  static constexpr int64_t kRecordBytes = 256;
  static constexpr int64_t kPlanBytes = 32;

  PackedModel(const ModelConfig& config, Precision precision)
      : config_(config),
        cost_(CostOf(config)),
        precision_(precision),
        max_steps_(static_cast<uint32_t>(MaxSteps(config))) {}

 private:
  const ModelConfig config_;
  const Cost cost_;
  const Precision precision_;
  const uint32_t max_steps_;
};

}  // namespace mre

#endif  // MRE_MODEL_ENGINE_PACKED_MODEL_H_
