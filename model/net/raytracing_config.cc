#include "model/net/raytracing_config.h"

#include <vector>

#include "model/base/status_macros.h"
#include "model/net/config.h"
#include "model/net/config_error.h"
#include "model/net/wiring.h"

namespace mre {
namespace {

constexpr double kMostGain = 1e4;

}  // namespace

absl::Status ValidateRaytracing(const ModelConfig& config) {
  const RaytracingConfig& rays = config.raytracing;
  if (config.expert != ExpertKind::kMlp) {
    return Expected("expert.kind", "\"block\"");
  }
  if (config.text()) return Expected("input", "no text in a raytracing");
  RETURN_IF_ERROR(InBounds("raytracing.modules", rays.modules, kMaxModules));
  RETURN_IF_ERROR(
      InBounds("raytracing.max_steps", rays.max_steps, kMaxThresholds));
  // Written so that NaN is refused too.
  if (!(rays.sparsity > 0 && rays.sparsity <= 1)) {
    return Expected("raytracing.sparsity", "a number above 0 and at most 1");
  }
  if (!(rays.gain > 0 && rays.gain <= kMostGain)) {
    return Expected("raytracing.gain", "a number above 0 and at most ",
                    kMostGain);
  }
  if (!(rays.theta_out > 0 && rays.theta_out < rays.mass())) {
    return Expected("raytracing.theta_out",
                    "a number above 0 and below raytracing.modules, the mass "
                    "that enters");
  }
  if (!(rays.decay > 0 && rays.decay < 1)) {
    return Expected("raytracing.decay", "a number above 0 and below 1");
  }
  if (rays.seed < 0) {
    return Expected("raytracing.seed", "an integer of at least 0");
  }
  // Each factor is within its bounds by now.
  RETURN_IF_ERROR(InBounds(
      "units of all modules and blocks",
      rays.modules * config.width + config.total_experts() * config.hidden,
      kMaxUnits));
  RETURN_IF_ERROR(InBounds("raytracing.modules times elements of the input",
                           rays.modules * config.input.size(), kMaxChoices));
  const std::vector<int64_t> wires = WiresByLevel(config);
  for (int64_t l = 0; l < config.layers; ++l) {
    if (wires[l] < config.experts) {
      return Expected("layers", "a wire for every block, but layer ", l,
                      " gets ", wires[l], " wires for ", config.experts,
                      " blocks; more units, fewer blocks or another "
                      "raytracing.seed would do");
    }
  }
  return absl::OkStatus();
}

}  // namespace mre
