#include "tests/support/random_model.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/io/checkpoint.h"
#include "model/net/kinds.h"

namespace mre {
namespace {

int64_t Between(Rng& rng, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(rng.Below(high - low + 1));
}

void NameClasses(int64_t count, ModelConfig& config) {
  for (int64_t c = 0; c < count; ++c) {
    config.classes.push_back(absl::StrCat("class ", c));
  }
}

// Mean and deviation of a parameter's values.
struct Spread {
  double mean = 0;
  double deviation = 0;
};

Spread SpreadOf(const ParamSpec& spec) {
  if (absl::EndsWith(spec.name, "norm.weight")) return {1.0, 0.3};
  if (absl::EndsWith(spec.name, ".transition")) return {0.0, 1.0};
  if (spec.shape.size() == 1) return {0.0, 0.2};
  const double fan_in = static_cast<double>(spec.shape.back());
  if (absl::StrContains(spec.name, ".gate.") ||
      absl::StrContains(spec.name, ".allocator.")) {
    return {0.0, 2 / std::sqrt(fan_in)};
  }
  if (absl::EndsWith(spec.name, ".up.weight") || spec.name == "head.weight") {
    return {0.0, std::sqrt(2 / fan_in)};
  }
  return {0.0, 1 / std::sqrt(fan_in)};
}

}  // namespace

ModelConfig RandomConfig(uint64_t seed) {
  Rng rng(seed);
  ModelConfig config;
  const int64_t channels = Between(rng, 1, 3);
  config.input.shape = {Between(rng, 1, 7), Between(rng, 1, 7), channels};
  config.input.scale = 1.0 / 255;
  for (int64_t c = 0; c < channels; ++c) {
    config.input.mean.push_back(0.2 + 0.4 * rng.Uniform());
    config.input.std.push_back(0.2 + 0.2 * rng.Uniform());
  }
  config.stem_activation =
      rng.Below(2) == 0 ? Activation::kNone : Activation::kRelu;
  config.width = Between(rng, 1, 39);
  config.layers = Between(rng, 1, 4);
  config.experts = Between(rng, 1, 5);
  config.hidden = Between(rng, 1, 39);
  config.context = Between(rng, 1, 19);
  NameClasses(Between(rng, 2, 12), config);
  config.training = absl::StrCat("{\"seed\":", seed, "}");
  return config;
}

ModelConfig RandomConfigOf(Kind kind, uint64_t seed) {
  ModelConfig config = RandomConfig(seed);
  config.kind = kind;
  Rng rng(Mix64(seed));
  if (!config.has_router()) config.experts = 1;
  if (kind != Kind::kMre && config.has_router()) {
    config.top_k = Between(rng, 1, config.experts);
  }
  if (kind == Kind::kMre || kind == Kind::kPathmoe) {
    config.sharing = Between(rng, 1, config.layers);
  }
  if (kind == Kind::kRaytracing) {
    // Units enough that every block gets a wire.
    config.stem_activation = Activation::kNone;
    config.width = Between(rng, 15, 39);
    config.hidden = Between(rng, 11, 39);
    RaytracingConfig& rays = config.raytracing;
    rays.modules = Between(rng, 2, 6);
    rays.sparsity = 0.2 + 0.8 * rng.Uniform();
    rays.normalised = rng.Below(2) == 0;
    rays.gain = 1 + 4 * rng.Uniform();
    rays.theta_out = rays.mass() * (0.1 + 0.3 * rng.Uniform());
    rays.decay = 0.6 + 0.3 * rng.Uniform();
    rays.max_steps = Between(rng, 5, 30);
    rays.seed = static_cast<int64_t>(rng.Below(1000));
  }
  return config;
}

ModelConfig RandomConvConfigOf(Kind kind, uint64_t seed) {
  ModelConfig config = RandomConfigOf(kind, seed);
  Rng rng(Mix64(seed) + 1);
  config.expert = ExpertKind::kConv;
  config.input.shape[0] = Between(rng, 4, 12);
  config.input.shape[1] = Between(rng, 4, 12);
  config.patch.size = Between(rng, 1, 4);
  config.patch.stride = Between(rng, 1, 4);
  config.patch.padding = Between(rng, 0, config.patch.size - 1);
  config.width = Between(rng, 1, 17);
  config.hidden = Between(rng, 1, 17);
  if (rng.Below(2) == 0) {
    config.front.push_back({Between(rng, 1, 5), {3, 1, 1}});
    config.front.push_back({Between(rng, 1, 20), {2, 1, 1}});
  }
  return config;
}

ModelConfig RandomTextConfigOf(Kind kind, uint64_t seed) {
  ModelConfig config = RandomConfigOf(kind, seed);
  Rng rng(Mix64(seed) + 2);
  config.input = {{1, Between(rng, 1, 9), 1}, 1, {0}, {1}};
  config.embedding = Between(rng, 1, 9);
  return config;
}

ModelConfig FashionConfig() {
  ModelConfig config;
  config.input = {{28, 28, 1}, 1.0 / 255, {0.286}, {0.353}};
  NameClasses(10, config);
  return config;
}

Model RandomModel(const ModelConfig& config, uint64_t seed) {
  Rng rng(Mix64(seed) ^ 0x6d6f64656cull);
  const ParamTable table = ParamsOf(config);
  Model model{config, std::vector<float>(table.total)};
  for (const ParamSpec& spec : table.specs) {
    const Spread spread = SpreadOf(spec);
    for (int64_t i = 0; i < spec.size; ++i) {
      model.params[spec.offset + i] =
          static_cast<float>(spread.mean + spread.deviation * rng.Gaussian());
    }
  }
  return model;
}

std::vector<float> RandomInput(const ModelConfig& config, Rng& rng) {
  std::vector<float> input(config.input.size());
  for (float& value : input) value = static_cast<float>(rng.Below(256));
  return input;
}

absl::Status WriteToRepository(const std::string& root, absl::string_view name,
                               int64_t version, const Model& model) {
  const std::string dir = absl::StrCat(root, "/", name, "/", version);
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error)
    return absl::InternalError(absl::StrCat(dir, ": ", error.message()));
  return SaveCheckpoint(model, absl::StrCat(dir, "/model.safetensors"));
}

TempDir::TempDir() {
  path_ = absl::StrCat(std::filesystem::temp_directory_path().string(),
                       "/mre_test_XXXXXX");
  if (mkdtemp(path_.data()) == nullptr) {
    std::perror(path_.c_str());
    std::abort();
  }
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::File(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

}  // namespace mre
