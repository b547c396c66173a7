#include "model/net/config.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/net/config_error.h"

namespace mre {
namespace {

// Largest side and step of a patch.
constexpr int64_t kMaxPatch = 1024;
constexpr size_t kMaxFrontLayers = 16;

struct KindEntry {
  Kind kind;
  absl::string_view name;
};
constexpr KindEntry kKinds[] = {{Kind::kMre, "mre"},
                                {Kind::kTopk, "topk"},
                                {Kind::kPathmoe, "pathmoe"},
                                {Kind::kAdak, "adak"},
                                {Kind::kMlp, "mlp"},
                                {Kind::kCnn, "cnn"},
                                {Kind::kRaytracing, "raytracing"}};

// Patches of `map`, at `path` of the JSON, that become a map of `channels`. A
// map's size is not in the file: what a row takes is bounded here. Each factor
// is checked before it enters a product.
absl::Status ValidatePatch(const std::string& path, const MapShape& map,
                           const PatchConfig& patch, int64_t channels) {
  RETURN_IF_ERROR(InBounds(path + ".size", patch.size, kMaxPatch));
  RETURN_IF_ERROR(InBounds(path + ".stride", patch.stride, kMaxPatch));
  if (patch.padding < 0 || patch.padding >= patch.size) {
    return Expected(path + ".padding",
                    absl::StrCat("an integer in [0, ", path, ".size), got ",
                                 patch.padding));
  }
  if (patch.size > std::min(map.height, map.width) + 2 * patch.padding) {
    return Expected(path + ".size", "at most the padded map");
  }
  const int64_t inputs = ConvShape{map, patch, channels}.inputs();
  const int64_t positions = MapOfPatches(map, patch, channels).positions();
  RETURN_IF_ERROR(InBounds("elements of a patch", inputs, kMaxInputSize));
  RETURN_IF_ERROR(InBounds("positions of a map", positions, kMaxInputSize));
  RETURN_IF_ERROR(
      InBounds("elements of the patches", positions * inputs, kMaxInputSize));
  return InBounds("elements of a stream's map", positions * channels,
                  kMaxInputSize);
}

absl::Status ValidateMaps(const ModelConfig& config) {
  MapShape map = config.input.map();
  if (config.front.size() > kMaxFrontLayers) {
    return Expected("stem.layers", absl::StrCat("at most ", kMaxFrontLayers));
  }
  for (size_t i = 0; i < config.front.size(); ++i) {
    const auto& [channels, patch] = config.front[i];
    const std::string path = absl::StrCat("stem.layers.", i);
    RETURN_IF_ERROR(InBounds(path + ".channels", channels, kMaxDimension));
    RETURN_IF_ERROR(ValidatePatch(path, map, patch, channels));
    map = MapOfPatches(map, patch, channels);
  }
  RETURN_IF_ERROR(ValidatePatch("stem", map, config.patch, config.width));
  return InBounds("elements of an expert's hidden map", config.hidden_size(),
                  kMaxInputSize);
}

absl::Status ValidateText(const ModelConfig& config) {
  if (config.expert != ExpertKind::kMlp) {
    return Expected("expert.kind", "\"mlp\" with a stem of kind \"embedding\"");
  }
  if (config.input.shape[0] != 1 || config.input.shape[2] != 1) {
    return Expected("input.shape", "[1,window,1] for text");
  }
  RETURN_IF_ERROR(InBounds("stem.dimension", config.embedding, kMaxDimension));
  return InBounds("elements of a window's vectors",
                  config.input.size() * config.embedding, kMaxInputSize);
}

}  // namespace

int64_t InputConfig::size() const {
  int64_t size = 1;
  for (const int64_t dim : shape) size *= dim;
  return size;
}

MapShape ModelConfig::patched_map() const {
  MapShape map = input.map();
  for (const FrontLayer& layer : front) {
    map = MapOfPatches(map, layer.patch, layer.channels);
  }
  return map;
}

MapShape ModelConfig::map() const {
  if (expert == ExpertKind::kMlp) return {1, 1, width};
  return MapOfPatches(patched_map(), patch, width);
}

absl::string_view KindName(Kind kind) {
  for (const KindEntry& entry : kKinds) {
    if (entry.kind == kind) return entry.name;
  }
  return "unknown";
}

absl::StatusOr<Kind> ParseKind(absl::string_view name) {
  for (const KindEntry& entry : kKinds) {
    if (entry.name == name) return entry.kind;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("expected one of ", KindNames(), ", got \"", name, "\""));
}

std::string KindNames() {
  return absl::StrJoin(kKinds, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.name);
  });
}

absl::Status Validate(const ModelConfig& config) {
  const InputConfig& input = config.input;
  if (input.shape.size() != 3) {
    return Expected("input.shape", "three dimensions: height, width, channels");
  }
  int64_t size = 1;
  for (const int64_t dim : input.shape) {
    RETURN_IF_ERROR(InBounds("input.shape", dim, kMaxInputSize));
    size *= dim;  // both factors are at most 2^24
    RETURN_IF_ERROR(InBounds("elements of input.shape", size, kMaxInputSize));
  }
  if (!std::isfinite(input.scale) || input.scale == 0) {
    return Expected("input.scale", "a finite number other than 0");
  }
  const size_t channels = static_cast<size_t>(input.channels());
  if (input.mean.size() != channels || input.std.size() != channels) {
    return Expected("input.mean and input.std", "one number a channel");
  }
  for (const double mean : input.mean) {
    if (!std::isfinite(mean)) return Expected("input.mean", "finite numbers");
  }
  for (const double std : input.std) {
    if (!std::isfinite(std) || std <= 0) {
      return Expected("input.std", "finite numbers above 0");
    }
  }
  if (config.embedding != 0) RETURN_IF_ERROR(ValidateText(config));
  RETURN_IF_ERROR(InBounds("width", config.width, kMaxDimension));
  RETURN_IF_ERROR(InBounds("layers", config.layers, kMaxLayers));
  RETURN_IF_ERROR(InBounds("experts", config.experts, kMaxExpertsPerLayer));
  RETURN_IF_ERROR(InBounds("expert.hidden", config.hidden, kMaxDimension));
  if (config.expert == ExpertKind::kConv) {
    RETURN_IF_ERROR(ValidateMaps(config));
  }
  switch (config.kind) {
    case Kind::kMre:
      RETURN_IF_ERROR(
          InBounds("router.context", config.context, kMaxDimension));
      RETURN_IF_ERROR(
          InBounds("router.sharing", config.sharing, config.layers));
      if (config.max_steps != 0) {
        RETURN_IF_ERROR(InBounds("router.max_steps", config.max_steps,
                                 config.total_experts()));
      }
      break;
    case Kind::kTopk:
    case Kind::kPathmoe:
    case Kind::kAdak:
      RETURN_IF_ERROR(InBounds("router.top_k", config.top_k, config.experts));
      RETURN_IF_ERROR(
          InBounds("router.sharing", config.sharing,
                   config.kind == Kind::kPathmoe ? config.layers : 1));
      break;
    case Kind::kCnn:
      if (config.expert != ExpertKind::kConv) {
        return Expected("expert.kind", "\"conv\" in a cnn");
      }
      [[fallthrough]];
    case Kind::kMlp:
      RETURN_IF_ERROR(InBounds("experts", config.experts, 1));
      break;
    case Kind::kRaytracing:
      RETURN_IF_ERROR(ValidateRaytracing(config));
      break;
  }
  return InBounds("number of classes", config.num_classes(), kMaxDimension);
}

}  // namespace mre
