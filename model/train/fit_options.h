// What `mre-train fit` can be told.
#ifndef MRE_MODEL_TRAIN_FIT_OPTIONS_H_
#define MRE_MODEL_TRAIN_FIT_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/data/load_dataset.h"
#include "model/net/config.h"
#include "model/net/network.h"

namespace mre {

// A value of router_training: what recipes that say nothing were made with.
inline constexpr char kStraightThrough[] = "straight-through";

// The defaults are the recipe of the checkpoint that ships with the server, but
// for router_training, which was straight-through.
struct FitOptions {
  // The recipe: with the data, it decides every bit of the result. Each field's
  // meaning stands in VisitRecipe, which gives flags, help and JSON.
  std::string dataset = "fashion-mnist";
  std::string kind = "mre";
  int64_t validation = 0;
  int64_t limit_train = 0;
  int64_t window = kDefaultWindow;
  int64_t embedding = 16;
  std::string expert;
  std::string stem_layers;
  int64_t patch = 8;
  int64_t stride = 4;
  int64_t padding = 2;
  int64_t layers = 4;
  int64_t experts = 0;
  int64_t width = 64;
  int64_t hidden = 64;
  int64_t context = 32;
  int64_t top_k = 0;
  int64_t sharing = 1;
  double balance = 0.01;
  double expert_cost = 0.001;
  int64_t modules = 6;
  double sparsity = 0.25;
  std::string block_input = "raw";
  double gain = 10;
  double theta_out = 0.5;
  double decay = 0.9;
  double arrival = 0.02;
  std::string stem = "none";
  int64_t max_steps = 0;
  int64_t epochs = 24;
  int64_t max_updates = 0;
  int64_t batch = 256;
  double lr = 3e-3;
  std::string schedule = "one-cycle";
  double weight_decay = 0.05;
  double router_lr = 1;
  double shared_lr = 0;
  double clip = 1;
  double ema = 0;
  double noise = 0.05;
  double temperature = 1;
  std::string router_training = "pairs";
  std::string exit_weights = "0.2:0.5";
  double distillation = 0;
  std::string precision = "f32";
  std::string augment;
  uint64_t seed = 0;

  // Where things are and how fast they go; no bit of the result depends on it.
  std::string data_dir;
  std::string out;
  std::string log;         // empty: none
  int threads = 0;         // 0: as many as the process may use
  int64_t save_every = 0;  // steps between states; 0: at the end of each epoch
  int64_t log_every = 50;  // steps between lines of the log
};

// Calls visit(name, field, help) for each field of the recipe. `Options` is
// FitOptions or const FitOptions.
template <typename Options, typename Visit>
void VisitRecipe(Options& o, Visit visit) {
  visit("dataset", o.dataset, "data set to learn");
  visit("kind", o.kind, "kind of model");
  visit("validation", o.validation,
        "hold back the last N training images and evaluate on them instead of "
        "the test images");
  visit("limit_train", o.limit_train, "learn the first N images (0: all)");
  visit("window", o.window, "characters that a model of text reads (text)");
  visit("embedding", o.embedding, "length of a character's vector (text)");
  visit("expert", o.expert,
        "kind of expert: mlp or conv (default: mlp, and conv in a cnn)");
  visit(
      "stem_layers", o.stem_layers,
      "convolutions before the patches, CHANNELS:SIZE:STRIDE:PADDING joined by "
      "commas (conv; default: none)");
  visit("patch", o.patch, "side of the stem's patches (conv)");
  visit("stride", o.stride, "from one patch to the next (conv)");
  visit("padding", o.padding, "border of zeros around the image (conv)");
  visit("layers", o.layers, "layers of experts, or of blocks (raytracing)");
  visit(
      "experts", o.experts,
      "experts a layer (0: 8, 1 in an mlp or cnn, 16 blocks in a raytracing)");
  visit("width", o.width,
        "length of a stream; conv: channels of its map; raytracing: units of "
        "an input module");
  visit("hidden", o.hidden,
        "hidden units of an expert; raytracing: units of a block");
  visit("context", o.context, "width of the routing network (mre)");
  visit("top_k", o.top_k,
        "experts a layer that an input runs (topk, pathmoe; adak: at most; 0: "
        "1, and 4 in an adak)");
  visit("sharing", o.sharing,
        "consecutive layers that share a gate (mre, pathmoe)");
  visit("balance", o.balance,
        "weight of the load-balancing loss (topk, pathmoe, adak; 0: none)");
  visit("expert_cost", o.expert_cost,
        "price in the loss of each expert that an input runs (adak)");
  visit("modules", o.modules, "input modules (raytracing)");
  visit("sparsity", o.sparsity,
        "share of the input that a module sees (raytracing)");
  visit("block_input", o.block_input,
        "what a block reads (raytracing): raw, the mass that reaches it, or "
        "normalised, that over its sum");
  visit("gain", o.gain,
        "factor of what a block reads (raytracing; raw: 10, normalised: 3)");
  visit("theta_out", o.theta_out,
        "mass at the output that ends a relaxation (raytracing)");
  visit("decay", o.decay, "from one threshold to the next (raytracing)");
  visit("arrival", o.arrival,
        "weight of the loss that asks for an arrival one step earlier, which "
        "keeps blocks asleep (raytracing; 0: none)");
  visit("stem", o.stem, "activation of the stem: none or relu");
  visit("max_steps", o.max_steps,
        "steps to unroll for each image: experts in an mre, layers in a stack "
        "(0: all of them), thresholds at most in a raytracing (0: 32)");
  visit("epochs", o.epochs, "times through the training images");
  visit("max_updates", o.max_updates,
        "end after N batches, if that is sooner (0: never)");
  visit("batch", o.batch, "images a batch");
  visit("lr", o.lr, "peak learning rate");
  visit("schedule", o.schedule, "one-cycle, cosine or constant");
  visit("weight_decay", o.weight_decay,
        "decoupled, of the matrices outside the router");
  visit(
      "router_lr", o.router_lr,
      "the router's rate, as a factor (0 in an mre: nothing learns to route)");
  visit("shared_lr", o.shared_lr,
        "rate of the part that a layer's experts have in common, as a factor "
        "(0: they have none)");
  visit("clip", o.clip, "largest norm of the gradient (0: any)");
  visit("ema", o.ema, "decay of the weights' moving average (0: off)");
  visit("noise", o.noise, "Gumbel noise in the order of experts");
  visit("temperature", o.temperature, "of the relaxed choice of an expert");
  visit("router_training", o.router_training,
        "how the router of an mre learns: straight-through or pairs");
  visit("exit_weights", o.exit_weights,
        "A:P weighs the loss of step 0 with A, that of step t with t^-P; last: "
        "the last step's alone");
  visit("distillation", o.distillation,
        "part of the loss of exits before the last that learns from the last "
        "one's answer (not raytracing; 0: none)");
  visit("precision", o.precision,
        "of convolutions: f32, or bf16, which rounds what they multiply (conv; "
        "a CPU with AVX512-BF16 or AMX)");
  visit("augment", o.augment,
        "none, or flip, shift (1 pixel), crop (4 pixels) joined by + (default: "
        "shift, and none for text)");
  visit("seed", o.seed, "of everything random");
}

// Whether it learns text.
bool IsText(const FitOptions& options);

// Whether its kind chooses experts of a layer for an input, layer after layer.
bool RoutesByLayer(const FitOptions& options);

// Puts the value that a 0 stands for into experts, top_k and max_steps, and
// what an empty text stands for into expert and augment. Nothing else here
// takes options whose defaults are not filled in, but for what CheckSameRecipe
// is given.
void FillDefaults(FitOptions& options);

// kNone where the router has no rate: were its tensors alone held still, the
// stem would learn to steer them. REQUIRES: Validate(options).ok().
RouterTraining RouterTrainingOf(const FitOptions& options);

// How the recipe's network multiplies. REQUIRES: Validate(options).ok().
Precision PrecisionOf(const FitOptions& options);

// INVALID_ARGUMENT naming the first flag that is out of its bounds.
absl::Status Validate(const FitOptions& options);

// Weight of the loss at steps 0..steps, summing to 1.
absl::StatusOr<std::vector<float>> ParseExitWeights(absl::string_view text,
                                                    int64_t steps);

// "32:3:1:1,64:3:2:1"; empty: none. Whether the layers suit the images is for
// Validate(config) to say.
absl::StatusOr<std::vector<FrontLayer>> ParseStemLayers(absl::string_view text);

// The model that the options describe, its training record still empty.
// REQUIRES: Validate(options).ok().
ModelConfig MakeConfig(const FitOptions& options, const InputConfig& input,
                       const std::vector<std::string>& classes);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_FIT_OPTIONS_H_
