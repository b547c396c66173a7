// The JSON of "mre.config".
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "model/base/json_depth.h"
#include "model/base/status_macros.h"
#include "model/net/config.h"
#include "model/net/config_error.h"

namespace mre {
namespace {

using nlohmann::json;

// The member `key` of `object`, which must exist. `path` names it in errors.
absl::StatusOr<const json*> Member(const json& object, const char* key,
                                   absl::string_view path) {
  const auto it = object.find(key);
  if (it == object.end()) return Expected(path, "a value, but it is missing");
  return &*it;
}

absl::StatusOr<int64_t> Integer(const json& object, const char* key,
                                absl::string_view path) {
  ASSIGN_OR_RETURN(const json* value, Member(object, key, path));
  // Anything that does not fit 63 bits is out of every bound anyway.
  if (!value->is_number_integer() ||
      (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX)) {
    return Expected(path, "an integer");
  }
  return value->get<int64_t>();
}

absl::StatusOr<std::string> Text(const json& object, const char* key,
                                 absl::string_view path) {
  ASSIGN_OR_RETURN(const json* value, Member(object, key, path));
  if (!value->is_string()) return Expected(path, "a string");
  return value->get<std::string>();
}

absl::Status ExpectText(const json& object, const char* key,
                        absl::string_view path, absl::string_view wanted) {
  ASSIGN_OR_RETURN(const std::string text, Text(object, key, path));
  if (absl::string_view(text) != wanted) {
    return Expected(path, absl::StrCat("\"", wanted, "\", got \"", text, "\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<const json*> Object(const json& object, const char* key,
                                   absl::string_view path) {
  ASSIGN_OR_RETURN(const json* value, Member(object, key, path));
  if (!value->is_object()) return Expected(path, "an object");
  return value;
}

absl::StatusOr<double> Number(const json& object, const char* key,
                              absl::string_view path) {
  ASSIGN_OR_RETURN(const json* value, Member(object, key, path));
  if (!value->is_number()) return Expected(path, "a number");
  return value->get<double>();
}

absl::StatusOr<std::vector<double>> Numbers(const json& object, const char* key,
                                            absl::string_view path) {
  ASSIGN_OR_RETURN(const json* value, Member(object, key, path));
  if (!value->is_array()) return Expected(path, "an array of numbers");
  std::vector<double> numbers;
  for (const json& item : *value) {
    if (!item.is_number()) return Expected(path, "an array of numbers");
    numbers.push_back(item.get<double>());
  }
  return numbers;
}

absl::StatusOr<InputConfig> ParseInput(const json& object) {
  InputConfig input;
  ASSIGN_OR_RETURN(const std::vector<double> shape,
                   Numbers(object, "shape", "input.shape"));
  for (const double dim : shape) {
    if (!(dim >= 1 && dim <= kMaxInputSize) || dim != std::floor(dim)) {
      return Expected("input.shape",
                      absl::StrCat("integers in [1, ", kMaxInputSize, "]"));
    }
    input.shape.push_back(static_cast<int64_t>(dim));
  }
  ASSIGN_OR_RETURN(input.scale, Number(object, "scale", "input.scale"));
  ASSIGN_OR_RETURN(input.mean, Numbers(object, "mean", "input.mean"));
  ASSIGN_OR_RETURN(input.std, Numbers(object, "std", "input.std"));
  return input;
}

bool HasTopk(Kind kind) {
  return kind == Kind::kTopk || kind == Kind::kPathmoe || kind == Kind::kAdak;
}

absl::string_view StemName(const ModelConfig& config) {
  if (config.text()) return "embedding";
  return config.expert == ExpertKind::kConv ? "patch" : "linear";
}

absl::Status ParseEmbedding(const json& stem, ModelConfig& config) {
  ASSIGN_OR_RETURN(const int64_t vocabulary,
                   Integer(stem, "vocabulary", "stem.vocabulary"));
  if (vocabulary != kVocabulary) {
    return Expected("stem.vocabulary", absl::StrCat(kVocabulary));
  }
  ASSIGN_OR_RETURN(config.embedding,
                   Integer(stem, "dimension", "stem.dimension"));
  // 0 would mean that there is none.
  return InBounds("stem.dimension", config.embedding, kMaxDimension);
}

absl::Status ParsePatch(const json& object, const std::string& path,
                        PatchConfig& patch) {
  ASSIGN_OR_RETURN(patch.size, Integer(object, "size", path + ".size"));
  ASSIGN_OR_RETURN(patch.stride, Integer(object, "stride", path + ".stride"));
  ASSIGN_OR_RETURN(patch.padding,
                   Integer(object, "padding", path + ".padding"));
  return absl::OkStatus();
}

absl::Status ParseFront(const json& stem, ModelConfig& config) {
  const auto layers = stem.find("layers");
  if (layers == stem.end()) return absl::OkStatus();
  if (!layers->is_array()) return Expected("stem.layers", "an array");
  for (const json& object : *layers) {
    const std::string path = absl::StrCat("stem.layers.", config.front.size());
    if (!object.is_object()) return Expected(path, "an object");
    FrontLayer& layer = config.front.emplace_back();
    ASSIGN_OR_RETURN(layer.channels,
                     Integer(object, "channels", path + ".channels"));
    RETURN_IF_ERROR(ParsePatch(object, path, layer.patch));
  }
  return absl::OkStatus();
}

void FormatPatch(const PatchConfig& patch, nlohmann::ordered_json& object) {
  object["size"] = patch.size;
  object["stride"] = patch.stride;
  object["padding"] = patch.padding;
}

absl::Status ParseStemAndExpert(const json& root, ModelConfig& config) {
  ASSIGN_OR_RETURN(const json* stem, Object(root, "stem", "stem"));
  ASSIGN_OR_RETURN(const json* expert, Object(root, "expert", "expert"));
  ASSIGN_OR_RETURN(const std::string kind,
                   Text(*expert, "kind", "expert.kind"));
  if (kind != "mlp" && kind != "conv") {
    return Expected("expert.kind", "\"mlp\" or \"conv\"");
  }
  config.expert = kind == "conv" ? ExpertKind::kConv : ExpertKind::kMlp;
  const bool conv = config.expert == ExpertKind::kConv;
  ASSIGN_OR_RETURN(const std::string stem_kind,
                   Text(*stem, "kind", "stem.kind"));
  if (stem_kind == "embedding") RETURN_IF_ERROR(ParseEmbedding(*stem, config));
  RETURN_IF_ERROR(ExpectText(*stem, "kind", "stem.kind", StemName(config)));
  ASSIGN_OR_RETURN(const std::string activation,
                   Text(*stem, "activation", "stem.activation"));
  if (activation != "none" && activation != "relu") {
    return Expected("stem.activation", "\"none\" or \"relu\"");
  }
  config.stem_activation =
      activation == "relu" ? Activation::kRelu : Activation::kNone;
  ASSIGN_OR_RETURN(config.hidden, Integer(*expert, "hidden", "expert.hidden"));
  if (!conv || config.text()) return absl::OkStatus();
  RETURN_IF_ERROR(ParseFront(*stem, config));
  return ParsePatch(*stem, "stem", config.patch);
}

absl::Status ParseRaytracing(const json& root, ModelConfig& config) {
  ASSIGN_OR_RETURN(const json* expert, Object(root, "expert", "expert"));
  RETURN_IF_ERROR(ExpectText(*expert, "kind", "expert.kind", "block"));
  ASSIGN_OR_RETURN(config.hidden, Integer(*expert, "hidden", "expert.hidden"));
  ASSIGN_OR_RETURN(const json* object,
                   Object(root, "raytracing", "raytracing"));
  RaytracingConfig& rays = config.raytracing;
  ASSIGN_OR_RETURN(rays.modules,
                   Integer(*object, "modules", "raytracing.modules"));
  ASSIGN_OR_RETURN(rays.sparsity,
                   Number(*object, "sparsity", "raytracing.sparsity"));
  ASSIGN_OR_RETURN(const std::string input,
                   Text(*object, "input", "raytracing.input"));
  if (input != "raw" && input != "normalised") {
    return Expected("raytracing.input", "\"raw\" or \"normalised\"");
  }
  rays.normalised = input == "normalised";
  ASSIGN_OR_RETURN(rays.gain, Number(*object, "gain", "raytracing.gain"));
  ASSIGN_OR_RETURN(rays.theta_out,
                   Number(*object, "theta_out", "raytracing.theta_out"));
  ASSIGN_OR_RETURN(rays.decay, Number(*object, "decay", "raytracing.decay"));
  ASSIGN_OR_RETURN(rays.max_steps,
                   Integer(*object, "max_steps", "raytracing.max_steps"));
  ASSIGN_OR_RETURN(rays.seed, Integer(*object, "seed", "raytracing.seed"));
  return absl::OkStatus();
}

absl::Status ParseRouter(const json& root, ModelConfig& config) {
  if (!config.has_router()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const json* router, Object(root, "router", "router"));
  ASSIGN_OR_RETURN(config.sharing,
                   Integer(*router, "sharing", "router.sharing"));
  if (config.kind == Kind::kMre) {
    ASSIGN_OR_RETURN(config.context,
                     Integer(*router, "context", "router.context"));
    if (router->contains("max_steps")) {
      ASSIGN_OR_RETURN(config.max_steps,
                       Integer(*router, "max_steps", "router.max_steps"));
    }
  } else {
    ASSIGN_OR_RETURN(config.top_k, Integer(*router, "top_k", "router.top_k"));
  }
  return absl::OkStatus();
}

nlohmann::ordered_json StemJson(const ModelConfig& config) {
  nlohmann::ordered_json stem;
  stem["kind"] = std::string(StemName(config));
  if (config.text()) {
    stem["vocabulary"] = kVocabulary;
    stem["dimension"] = config.embedding;
  }
  stem["activation"] =
      config.stem_activation == Activation::kRelu ? "relu" : "none";
  if (config.expert == ExpertKind::kMlp) return stem;
  FormatPatch(config.patch, stem);
  for (const FrontLayer& layer : config.front) {
    auto& object = stem["layers"].emplace_back();
    object["channels"] = layer.channels;
    FormatPatch(layer.patch, object);
  }
  return stem;
}

nlohmann::ordered_json RaytracingJson(const RaytracingConfig& rays) {
  return {{"modules", rays.modules},
          {"sparsity", rays.sparsity},
          {"input", rays.normalised ? "normalised" : "raw"},
          {"gain", rays.gain},
          {"theta_out", rays.theta_out},
          {"decay", rays.decay},
          {"max_steps", rays.max_steps},
          {"seed", rays.seed}};
}

}  // namespace

absl::StatusOr<ModelConfig> ParseConfig(absl::string_view text) {
  if (JsonDepth(text) > kMaxJsonDepth) {
    return absl::InvalidArgumentError("mre.config: nested too deeply");
  }
  const json root = json::parse(text.begin(), text.end(), nullptr,
                                /*allow_exceptions=*/false);
  if (!root.is_object()) return Expected("(whole)", "a JSON object");
  ModelConfig config;
  ASSIGN_OR_RETURN(const int64_t format, Integer(root, "format", "format"));
  if (format != 1) {
    return Expected("format", absl::StrCat("1, got ", format,
                                           " (written by a newer version?)"));
  }
  ASSIGN_OR_RETURN(const std::string kind, Text(root, "kind", "kind"));
  const absl::StatusOr<Kind> known = ParseKind(kind);
  if (!known.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("mre.config: kind: ", known.status().message()));
  }
  config.kind = *known;
  ASSIGN_OR_RETURN(const json* input, Object(root, "input", "input"));
  ASSIGN_OR_RETURN(config.input, ParseInput(*input));
  const bool rays = config.kind == Kind::kRaytracing;
  RETURN_IF_ERROR(rays ? ParseRaytracing(root, config)
                       : ParseStemAndExpert(root, config));
  ASSIGN_OR_RETURN(config.width, Integer(root, "width", "width"));
  ASSIGN_OR_RETURN(config.layers, Integer(root, "layers", "layers"));
  ASSIGN_OR_RETURN(config.experts, Integer(root, "experts", "experts"));
  if (!rays) RETURN_IF_ERROR(ParseRouter(root, config));
  ASSIGN_OR_RETURN(const json* classes, Member(root, "classes", "classes"));
  if (!classes->is_array()) return Expected("classes", "an array of strings");
  for (const json& name : *classes) {
    if (!name.is_string()) return Expected("classes", "an array of strings");
    config.classes.push_back(name.get<std::string>());
  }
  if (const auto it = root.find("training"); it != root.end()) {
    if (!it->is_object()) return Expected("training", "an object");
    config.training = it->dump(-1, ' ', false, json::error_handler_t::replace);
  }
  RETURN_IF_ERROR(Validate(config));
  return config;
}

std::string FormatConfig(const ModelConfig& config) {
  nlohmann::ordered_json root;
  root["format"] = 1;
  root["kind"] = std::string(KindName(config.kind));
  root["input"] = {{"shape", config.input.shape},
                   {"scale", config.input.scale},
                   {"mean", config.input.mean},
                   {"std", config.input.std}};
  const bool conv = config.expert == ExpertKind::kConv;
  const bool rays = config.kind == Kind::kRaytracing;
  if (!rays) root["stem"] = StemJson(config);
  root["width"] = config.width;
  root["layers"] = config.layers;
  root["experts"] = config.experts;
  root["expert"] = {{"kind", rays   ? "block"
                             : conv ? "conv"
                                    : "mlp"},
                    {"hidden", config.hidden}};
  if (config.kind == Kind::kMre) {
    root["router"] = {{"context", config.context}, {"sharing", config.sharing}};
    if (config.max_steps > 0) root["router"]["max_steps"] = config.max_steps;
  } else if (HasTopk(config.kind)) {
    root["router"] = {{"top_k", config.top_k}, {"sharing", config.sharing}};
  } else if (rays) {
    root["raytracing"] = RaytracingJson(config.raytracing);
  }
  root["classes"] = config.classes;
  root["training"] = nlohmann::ordered_json::parse(config.training, nullptr,
                                                   /*allow_exceptions=*/false);
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace mre
