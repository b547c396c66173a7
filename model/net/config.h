// What a checkpoint's "mre.config" says: everything about a model but its
// numbers.
#ifndef MRE_MODEL_NET_CONFIG_H_
#define MRE_MODEL_NET_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/math/kernels.h"

namespace mre {

// Bounds that no model we know comes near; they keep every product of two
// dimensions far from overflow.
inline constexpr int64_t kMaxDimension = 1 << 16;
inline constexpr int64_t kMaxInputSize = 1 << 24;
inline constexpr int64_t kMaxLayers = 256;
inline constexpr int64_t kMaxExpertsPerLayer = 1024;

// How input bytes become numbers: (x * scale - mean[c]) / std[c].
struct InputConfig {
  std::vector<int64_t> shape;  // H, W, C
  double scale = 1;
  std::vector<double> mean;  // one a channel
  std::vector<double> std;

  // Elements of one row.
  int64_t size() const;
  int64_t channels() const { return shape.empty() ? 0 : shape.back(); }
};

// What a model is (equations: model/README.md).
enum class Kind {
  kMre,      // "mre": a Mixture of Raytraced Experts
  kTopk,     // "topk": a residual stack of top-k mixture layers
  kPathmoe,  // "pathmoe": the same, consecutive layers sharing a router
  kMlp,      // "mlp": a residual stack of one expert a layer
};
absl::string_view KindName(Kind kind);
// INVALID_ARGUMENT names the kinds that there are.
absl::StatusOr<Kind> ParseKind(absl::string_view name);
// For help texts: "mre, topk ...".
std::string KindNames();

struct ModelConfig {
  Kind kind = Kind::kMre;
  InputConfig input;
  Activation stem_activation = Activation::kNone;
  int64_t width = 64;    // d: length of a stream
  int64_t layers = 4;    // L
  int64_t experts = 8;   // N: experts a layer
  int64_t hidden = 64;   // m: hidden units of an expert
  int64_t context = 32;  // r: width of the routing network; mre only
  int64_t top_k = 1;     // k: experts a layer that a row runs; topk, pathmoe
  int64_t sharing = 1;   // B: consecutive layers that share a router; pathmoe
  std::vector<std::string> classes;
  // A JSON object: how the model was made. Carried along, never interpreted.
  std::string training = "{}";

  int64_t total_experts() const { return layers * experts; }
  int64_t num_classes() const { return static_cast<int64_t>(classes.size()); }
};

// INVALID_ARGUMENT naming the first field that is out of its bounds.
absl::Status Validate(const ModelConfig& config);

// The JSON of "mre.config"; FormatConfig(ParseConfig(x)) means the same as x.
// ParseConfig validates, and refuses unknown formats, kinds and options, with
// an INVALID_ARGUMENT that names the field and what was expected.
absl::StatusOr<ModelConfig> ParseConfig(absl::string_view json);
std::string FormatConfig(const ModelConfig& config);

}  // namespace mre

#endif  // MRE_MODEL_NET_CONFIG_H_
