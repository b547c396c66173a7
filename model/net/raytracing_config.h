// What only the kind "raytracing" has in its config.
#ifndef MRE_MODEL_NET_RAYTRACING_CONFIG_H_
#define MRE_MODEL_NET_RAYTRACING_CONFIG_H_

#include <cstdint>

#include "absl/status/status.h"

namespace mre {

struct ModelConfig;

// Bounds; with them no size that follows from a config comes near overflow.
inline constexpr int64_t kMaxModules = 1024;
inline constexpr int64_t kMaxUnits = 1 << 22;  // of all modules and blocks
inline constexpr int64_t kMaxThresholds = 1024;
// Modules times elements of the input: choosing what they see takes so long.
inline constexpr int64_t kMaxChoices = 1 << 26;

// Equations: model/README.md. A block is an expert of the config, its units are
// `hidden`; a module has `width` units.
struct RaytracingConfig {
  int64_t modules = 6;      // input modules; each sends a mass of 1
  double sparsity = 0.25;   // share of the input that a module sees
  double gain = 10;         // of what a block reads
  bool normalised = false;  // a block reads its mass over the mass's sum
  double theta_out = 0.5;   // mass at the output that ends the relaxation
  double decay = 0.9;       // from one threshold to the next
  int64_t max_steps = 32;   // thresholds at most
  int64_t seed = 0;         // of the wiring, at least 0

  // Mass that enters, and so the most that can arrive.
  double mass() const { return static_cast<double>(modules); }
};

// INVALID_ARGUMENT naming the first field that is out of its bounds, or a
// wiring that leaves a block without a wire. REQUIRES: what all kinds have in
// common has been validated, and the kind is raytracing.
absl::Status ValidateRaytracing(const ModelConfig& config);

}  // namespace mre

#endif  // MRE_MODEL_NET_RAYTRACING_CONFIG_H_
