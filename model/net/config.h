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
#include "model/math/conv.h"
#include "model/math/kernels.h"
#include "model/net/raytracing_config.h"

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
  // REQUIRES: three dimensions.
  MapShape map() const { return {shape[0], shape[1], shape[2]}; }
};

// What a model is (equations: model/README.md).
enum class Kind {
  kMre,      // "mre": a Mixture of Raytraced Experts
  kTopk,     // "topk": a residual stack of top-k mixture layers
  kPathmoe,  // "pathmoe": the same, consecutive layers sharing a router
  kAdak,     // "adak": a stack of mixture layers, each input with its own k
  kMlp,      // "mlp": a residual stack of one expert a layer
  kCnn,      // "cnn": the same, of conv experts
  // "raytracing": sparsely wired blocks that mass wakes as thresholds fall
  kRaytracing,
};
absl::string_view KindName(Kind kind);
// INVALID_ARGUMENT names the kinds that there are.
absl::StatusOr<Kind> ParseKind(absl::string_view name);
// For help texts: "mre, topk ...".
std::string KindNames();

// What an expert is: two matrices on a stream that is a vector, or a 3x3 and a
// 1x1 convolution on a stream that is a feature map.
enum class ExpertKind { kMlp, kConv };
inline constexpr int64_t kExpertKernel = 3;

// A convolution, with relu, before the patches that become the map that conv
// experts work on.
struct FrontLayer {
  int64_t channels = 32;
  PatchConfig patch;
};

// Rows of the table that turns the bytes of a text into vectors.
inline constexpr int64_t kVocabulary = 256;

struct ModelConfig {
  Kind kind = Kind::kMre;
  ExpertKind expert = ExpertKind::kMlp;
  std::vector<FrontLayer> front;  // conv only
  PatchConfig patch;              // conv only
  // E: length of the vector of one byte of a text. 0: the input is no text.
  int64_t embedding = 0;
  InputConfig input;
  Activation stem_activation = Activation::kNone;
  int64_t width = 64;    // d: length of a stream; conv: channels of its map
  int64_t layers = 4;    // L
  int64_t experts = 8;   // N: experts a layer
  int64_t hidden = 64;   // m: hidden units, or channels, of an expert
  int64_t context = 32;  // r: width of the routing network; mre only
  // Experts that a row runs at most, where not all: what the model was trained
  // to. 0: all. mre only.
  int64_t max_steps = 0;
  // k: experts a layer that a row runs; in an adak, the most of them.
  int64_t top_k = 1;    // topk, pathmoe, adak
  int64_t sharing = 1;  // S: consecutive layers with one gate; mre, pathmoe
  RaytracingConfig raytracing;  // raytracing only
  std::vector<std::string> classes;
  // A JSON object: how the model was made. Carried along, never interpreted.
  std::string training = "{}";

  // The map of a stream: 1x1 for mlp experts.
  MapShape map() const;
  int64_t map_height() const { return map().height; }
  int64_t map_width() const { return map().width; }
  int64_t positions() const { return map().positions(); }
  // What the patches are taken from: the input, or what the front made of it.
  MapShape patched_map() const;
  // Floats of a stream, and of an expert's hidden layer.
  int64_t stream_size() const { return positions() * width; }
  int64_t hidden_size() const { return positions() * hidden; }
  // What a stem without convolutions reads of a row: its elements, or the
  // vectors of its bytes.
  int64_t linear_stem_inputs() const {
    return input.size() * (text() ? embedding : 1);
  }
  // What a router reads of a stream (features.h).
  int64_t features() const {
    return expert == ExpertKind::kConv ? 10 * width : width;
  }

  // Rows are windows of text, [1,window,1] bytes as they stand in the text.
  bool text() const { return embedding > 0; }
  // Of a stack: there is something to choose in a layer.
  bool has_router() const { return kind != Kind::kMlp && kind != Kind::kCnn; }
  // Numbers of experts that an allocator chooses among; 0: there is none.
  int64_t allocations() const { return kind == Kind::kAdak ? top_k : 0; }

  int64_t total_experts() const { return layers * experts; }
  // Of an mre: steps until a row is exhausted.
  int64_t expert_steps() const {
    return max_steps > 0 ? max_steps : total_experts();
  }
  // Groups of layers that share a gate.
  int64_t gate_groups() const { return (layers + sharing - 1) / sharing; }
  // Parts of which there may be many, each with tensors of its own.
  int64_t parts() const {
    return total_experts() +
           (kind == Kind::kRaytracing ? raytracing.modules : 0);
  }
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
