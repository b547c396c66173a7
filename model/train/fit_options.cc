#include "model/train/fit_options.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/status_macros.h"
#include "model/data/batches.h"
#include "model/train/schedule.h"

namespace mre {
namespace {

// Most images a batch and most epochs: far above any use, and products of them
// stay far from overflow.
constexpr int64_t kMaxBatch = 1 << 16;
constexpr int64_t kMaxEpochs = 1 << 20;

absl::Status Bad(absl::string_view flag, absl::string_view expected,
                 absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": expected ", expected, ", got ", got));
}

absl::Status InRange(absl::string_view flag, int64_t value, int64_t least,
                     int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Bad(flag, absl::StrCat("a number in [", least, ", ", most, "]"),
             absl::StrCat(value));
}

absl::Status InRange(absl::string_view flag, double value, double least,
                     double most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Bad(flag, absl::StrCat("a number in [", least, ", ", most, "]"),
             absl::StrCat(value));
}

constexpr absl::string_view kPairs = "pairs";

// Above `least`, and below `most` or at most that.
absl::Status Between(absl::string_view flag, double value, double least,
                     double most, bool most_too) {
  if (value > least && (value < most || (most_too && value == most))) {
    return absl::OkStatus();
  }
  return Bad(flag,
             absl::StrCat("a number above ", least,
                          most_too ? " and at most " : " and below ", most),
             absl::StrCat(value));
}

bool IsDense(const FitOptions& options) {
  return options.kind == "mlp" || options.kind == "cnn";
}

// The most consecutive layers that may share a gate.
int64_t MostSharing(const FitOptions& options) {
  return options.kind == "mre" || options.kind == "pathmoe" ? options.layers
                                                            : 1;
}

absl::Status ValidatePrecision(const FitOptions& o) {
  if (PrecisionOf(o) == Precision::kF32) {
    if (o.precision == PrecisionName(Precision::kF32)) return absl::OkStatus();
    return Bad("precision", "f32 or bf16",
               absl::StrCat("\"", o.precision, "\""));
  }
  if (o.expert != "conv") {
    return Bad("precision", "f32 without convolutions", o.precision);
  }
  absl::Status runs = CheckPrecision(Precision::kBf16);
  if (runs.ok()) return runs;
  return absl::UnimplementedError(
      absl::StrCat("--precision: ", runs.message()));
}

// Most steps that may be unrolled.
int64_t MostSteps(const FitOptions& o) {
  if (o.kind == "raytracing") return kMaxThresholds;
  return o.kind == "mre" ? o.layers * o.experts : o.layers;
}

absl::Status ValidateRays(const FitOptions& o) {
  RETURN_IF_ERROR(InRange("modules", o.modules, 1, kMaxModules));
  if (o.block_input != "raw" && o.block_input != "normalised") {
    return Bad("block_input", "raw or normalised",
               absl::StrCat("\"", o.block_input, "\""));
  }
  RETURN_IF_ERROR(Between("sparsity", o.sparsity, 0, 1, /*most_too=*/true));
  RETURN_IF_ERROR(InRange("gain", o.gain, 1e-3, 1e4));
  RETURN_IF_ERROR(Between("theta_out", o.theta_out, 0,
                          static_cast<double>(o.modules), false));
  RETURN_IF_ERROR(Between("decay", o.decay, 0, 1, false));
  return InRange("arrival", o.arrival, 0.0, 1000.0);
}

absl::Status ValidateText(const FitOptions& o) {
  RETURN_IF_ERROR(InRange("window", o.window, 1, kMaxDimension));
  RETURN_IF_ERROR(InRange("embedding", o.embedding, 1, kMaxDimension));
  if (o.expert != "mlp") {
    return Bad("expert", "mlp for text", absl::StrCat("\"", o.expert, "\""));
  }
  if (o.augment != "none") {
    return Bad("augment", "none for text", absl::StrCat("\"", o.augment, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsText(const FitOptions& options) { return options.dataset == "text"; }

bool RoutesByLayer(const FitOptions& options) {
  return options.kind == "topk" || options.kind == "pathmoe" ||
         options.kind == "adak";
}

void FillDefaults(FitOptions& o) {
  const bool rays = o.kind == "raytracing";
  if (o.expert.empty()) o.expert = o.kind == "cnn" ? "conv" : "mlp";
  if (o.experts == 0) o.experts = IsDense(o) ? 1 : rays ? 16 : 8;
  if (o.top_k == 0) {
    o.top_k = o.kind == "adak" ? std::min<int64_t>(4, o.experts) : 1;
  }
  if (o.max_steps == 0) {
    o.max_steps = rays ? RaytracingConfig().max_steps : MostSteps(o);
  }
  if (o.augment.empty()) o.augment = IsText(o) ? "none" : "shift";
}

RouterTraining RouterTrainingOf(const FitOptions& options) {
  if (options.router_lr == 0) return RouterTraining::kNone;
  return options.router_training == kPairs ? RouterTraining::kPairs
                                           : RouterTraining::kStraightThrough;
}

Precision PrecisionOf(const FitOptions& options) {
  return options.precision == PrecisionName(Precision::kBf16) ? Precision::kBf16
                                                              : Precision::kF32;
}

absl::Status Validate(const FitOptions& o) {
  if (const auto kind = ParseKind(o.kind); !kind.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--kind: ", kind.status().message()));
  }
  RETURN_IF_ERROR(InRange("validation", o.validation, 0, INT64_MAX));
  RETURN_IF_ERROR(InRange("limit_train", o.limit_train, 0, INT64_MAX));
  if (o.expert != "mlp" && o.expert != "conv") {
    return Bad("expert", "mlp or conv", absl::StrCat("\"", o.expert, "\""));
  }
  RETURN_IF_ERROR(ParseStemLayers(o.stem_layers).status());
  RETURN_IF_ERROR(ValidatePrecision(o));
  if (o.kind == "cnn" && o.expert != "conv") {
    return Bad("expert", "conv in a cnn", absl::StrCat("\"", o.expert, "\""));
  }
  RETURN_IF_ERROR(InRange("patch", o.patch, 1, 1024));
  RETURN_IF_ERROR(InRange("stride", o.stride, 1, 1024));
  RETURN_IF_ERROR(InRange("padding", o.padding, 0, o.patch - 1));
  RETURN_IF_ERROR(InRange("layers", o.layers, 1, kMaxLayers));
  RETURN_IF_ERROR(
      InRange("experts", o.experts, 1, IsDense(o) ? 1 : kMaxExpertsPerLayer));
  RETURN_IF_ERROR(InRange("width", o.width, 1, kMaxDimension));
  RETURN_IF_ERROR(InRange("hidden", o.hidden, 1, kMaxDimension));
  RETURN_IF_ERROR(InRange("context", o.context, 1, kMaxDimension));
  if (o.stem != "none" && o.stem != "relu") {
    return Bad("stem", "none or relu", absl::StrCat("\"", o.stem, "\""));
  }
  if (RoutesByLayer(o)) {
    RETURN_IF_ERROR(InRange("top_k", o.top_k, 1, o.experts));
    RETURN_IF_ERROR(InRange("balance", o.balance, 0.0, 1000.0));
  }
  if (!IsDense(o)) {
    RETURN_IF_ERROR(InRange("sharing", o.sharing, 1, MostSharing(o)));
  }
  RETURN_IF_ERROR(InRange("expert_cost", o.expert_cost, 0.0, 1000.0));
  if (o.kind == "raytracing") {
    if (o.expert != "mlp") return Bad("expert", "mlp for this kind", o.expert);
    if (IsText(o)) return Bad("kind", "another kind for text", o.kind);
    RETURN_IF_ERROR(ValidateRays(o));
  }
  RETURN_IF_ERROR(InRange("max_steps", o.max_steps, 1, MostSteps(o)));
  RETURN_IF_ERROR(InRange("epochs", o.epochs, 1, kMaxEpochs));
  RETURN_IF_ERROR(InRange("max_updates", o.max_updates, 0, INT64_MAX));
  RETURN_IF_ERROR(InRange("batch", o.batch, 1, kMaxBatch));
  RETURN_IF_ERROR(InRange("lr", o.lr, 0.0, 100.0));
  RETURN_IF_ERROR(ParseSchedule(o.schedule).status());
  RETURN_IF_ERROR(InRange("weight_decay", o.weight_decay, 0.0, 100.0));
  RETURN_IF_ERROR(InRange("router_lr", o.router_lr, 0.0, 1000.0));
  RETURN_IF_ERROR(InRange("shared_lr", o.shared_lr, 0.0, 1000.0));
  RETURN_IF_ERROR(InRange("clip", o.clip, 0.0, 1e9));
  RETURN_IF_ERROR(InRange("ema", o.ema, 0.0, 0.999999));
  RETURN_IF_ERROR(InRange("noise", o.noise, 0.0, 100.0));
  RETURN_IF_ERROR(InRange("temperature", o.temperature, 1e-3, 1000.0));
  if (o.router_training != kStraightThrough && o.router_training != kPairs) {
    return Bad("router_training", "straight-through or pairs",
               absl::StrCat("\"", o.router_training, "\""));
  }
  RETURN_IF_ERROR(ParseExitWeights(o.exit_weights, o.max_steps).status());
  RETURN_IF_ERROR(InRange("distillation", o.distillation, 0.0,
                          o.kind == "raytracing" ? 0.0 : 1.0));
  RETURN_IF_ERROR(ParseAugmentation(o.augment).status());
  if (IsText(o)) RETURN_IF_ERROR(ValidateText(o));
  RETURN_IF_ERROR(InRange("save_every", o.save_every, 0, INT64_MAX));
  return InRange("log_every", o.log_every, 1, INT64_MAX);
}

absl::StatusOr<std::vector<float>> ParseExitWeights(absl::string_view text,
                                                    int64_t steps) {
  if (text == "last") {
    std::vector<float> weights(steps + 1, 0.0f);
    weights.back() = 1;
    return weights;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  double first = 0;
  double power = 0;
  if (parts.size() != 2 || !absl::SimpleAtod(parts[0], &first) ||
      !absl::SimpleAtod(parts[1], &power) || !(first >= 0 && first <= 1000) ||
      !(std::abs(power) <= 10)) {
    return Bad("exit_weights", "A:P, such as 0.2:0.5, or last",
               absl::StrCat("\"", text, "\""));
  }
  std::vector<double> weights = {first};
  double sum = first;
  for (int64_t t = 1; t <= steps; ++t) {
    weights.push_back(std::pow(static_cast<double>(t), -power));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return std::vector<float>(weights.begin(), weights.end());
}

absl::StatusOr<std::vector<FrontLayer>> ParseStemLayers(
    absl::string_view text) {
  std::vector<FrontLayer> layers;
  for (const absl::string_view item :
       absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> parts = absl::StrSplit(item, ':');
    FrontLayer layer;
    int64_t* const fields[] = {&layer.channels, &layer.patch.size,
                               &layer.patch.stride, &layer.patch.padding};
    bool good = parts.size() == std::size(fields);
    for (size_t i = 0; good && i < std::size(fields); ++i) {
      good = absl::SimpleAtoi(parts[i], fields[i]) &&
             *fields[i] >= (fields[i] == &layer.patch.padding ? 0 : 1) &&
             *fields[i] <= kMaxDimension;
    }
    if (!good || layer.patch.padding >= layer.patch.size) {
      return Bad("stem_layers",
                 "CHANNELS:SIZE:STRIDE:PADDING joined by commas, such as "
                 "32:3:1:1,64:3:2:1, of numbers above 0 and a padding below "
                 "the size",
                 absl::StrCat("\"", text, "\""));
    }
    layers.push_back(layer);
  }
  return layers;
}

ModelConfig MakeConfig(const FitOptions& options, const InputConfig& input,
                       const std::vector<std::string>& classes) {
  ModelConfig config;
  config.kind = *ParseKind(options.kind);
  config.expert =
      options.expert == "conv" ? ExpertKind::kConv : ExpertKind::kMlp;
  config.front = *ParseStemLayers(options.stem_layers);
  config.patch = {options.patch, options.stride, options.padding};
  if (IsText(options)) config.embedding = options.embedding;
  config.top_k = options.top_k;
  config.sharing = options.sharing;
  config.input = input;
  config.stem_activation =
      options.stem == "relu" ? Activation::kRelu : Activation::kNone;
  config.width = options.width;
  config.layers = options.layers;
  config.experts = options.experts;
  config.hidden = options.hidden;
  config.context = options.context;
  if (config.kind == Kind::kMre && options.max_steps < config.total_experts()) {
    config.max_steps = options.max_steps;
  }
  config.classes = classes;
  // The wiring is of the same seed as everything random; 63 bits of it, which
  // JSON keeps.
  config.raytracing = {.modules = options.modules,
                       .sparsity = options.sparsity,
                       .gain = options.gain,
                       .normalised = options.block_input == "normalised",
                       .theta_out = options.theta_out,
                       .decay = options.decay,
                       .max_steps = options.max_steps,
                       .seed = static_cast<int64_t>(options.seed & INT64_MAX)};
  return config;
}

}  // namespace mre
