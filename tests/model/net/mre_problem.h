// Small models of the kind "mre" with a batch, and the model's equations once
// more, in double, one step after the other.
#ifndef MRE_TESTS_MODEL_NET_MRE_PROBLEM_H_
#define MRE_TESTS_MODEL_NET_MRE_PROBLEM_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/base/rng.h"
#include "model/net/mre.h"
#include "tests/model/net/gradient_check.h"

namespace mre {

inline constexpr uint64_t kSeed = 11;

inline ModelConfig SmallConfig(Activation stem, int64_t sharing = 1) {
  ModelConfig config;
  config.input = {{2, 3, 1}, 1, {0}, {1}};
  config.stem_activation = stem;
  config.width = 9;  // no multiple of any vector's length
  config.layers = 3;
  config.experts = 3;
  config.hidden = 7;
  config.context = 4;
  config.sharing = sharing;
  config.classes = {"a", "b", "c"};
  return config;
}

// A map of 3x2 positions from 5x4 pixels of two channels, patches overlapping
// and padded. (No relu in the stem: where it leaves nothing at a position, the
// LayerNorm's slope is far beyond any difference.)
inline ModelConfig SmallConvConfig() {
  ModelConfig config = SmallConfig(Activation::kNone);
  config.expert = ExpertKind::kConv;
  config.input = {{5, 4, 2}, 1, {0, 0}, {1, 1}};
  config.patch = {3, 2, 1};
  config.width = 5;
  config.hidden = 4;
  return config;
}

// The same map from a front of two layers, the second with a step of 2.
inline ModelConfig SmallFrontConfig() {
  ModelConfig config = SmallConvConfig();
  config.input.shape = {9, 7, 2};
  config.front = {{3, {3, 1, 1}}, {4, {2, 2, 1}}};
  return config;
}

inline ModelConfig SmallTextConfig() {
  ModelConfig config = SmallConfig(Activation::kNone);
  config.input = {{1, 4, 1}, 1, {0}, {1}};
  config.embedding = 3;
  return config;
}

// A model and a batch for it. Every parameter is off its starting value, so
// that no gradient vanishes by symmetry.
struct Problem {
  Problem(const ModelConfig& c, int64_t rows, int64_t steps)
      : config(c), parts(c), params(InitialMreParams(c, kSeed)), rows(rows) {
    Rng rng(kSeed + 1);
    for (float& p : params) p += static_cast<float>(0.2 * rng.Gaussian());
    x = GradientInputs(c, rows, rng);
    for (int64_t b = 0; b < rows; ++b) {
      labels.push_back(static_cast<uint8_t>(rng.Below(c.num_classes())));
    }
    for (int64_t t = 0; t <= steps; ++t) {
      step_weights.push_back(static_cast<float>(0.5 + rng.Uniform()));
    }
    options.steps = steps;
    options.noise = 0.7f;
    options.temperature = 0.8f;
    options.seed = kSeed;
  }

  // Of the pass that the network has just made.
  double Loss(const Unrolled& u, float* dlogits) const {
    const Exits exits{u.rows, u.steps, u.logits, u.coverage, u.order};
    return ExitLoss(exits, config.num_classes(), labels.data(), step_weights,
                    dlogits);
  }

  const Unrolled& Run(const UnrollOptions& with, MreNetwork& network) const {
    return network.Unroll(params, x.data(), rows, with);
  }

  std::vector<float> Gradient(MreNetwork& network) const {
    const Unrolled& u = Run(options, network);
    std::vector<float> dlogits(u.logits.size());
    Loss(u, dlogits.data());
    std::vector<float> gradient(params.size(), 0.0f);
    network.Backward(params, x.data(), dlogits.data(), gradient);
    return gradient;
  }

  ModelConfig config;
  MreParams parts;
  std::vector<float> params;
  int64_t rows;
  std::vector<float> x;
  std::vector<uint8_t> labels;
  std::vector<float> step_weights;
  UnrollOptions options;
};

// The recurrence, one step after the other, in double and without any sharing
// of work.
class StepByStep {
 public:
  explicit StepByStep(const Problem& problem)
      : problem_(problem), config_(problem.config), parts_(problem.parts) {}

  // Appends the logits of step 0 and of each step of `order`.
  std::vector<double> Logits(int64_t row, const int32_t* order,
                             int64_t steps) const {
    std::vector<double> x(config_.input.size());
    std::copy_n(problem_.x.begin() + row * config_.input.size(), x.size(),
                x.begin());
    std::vector<double> h = Stem(x);
    if (config_.stem_activation == Activation::kRelu) Relu(h);
    std::vector<std::vector<double>> streams(config_.layers + 1, h);
    std::vector<double> logits;
    AppendLogits(streams.back(), logits);
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t layer = order[t] / config_.experts;
      const std::vector<double> y =
          RunExpert(parts_.expert(order[t]),
                    Normal(streams[layer], parts_.layers[layer].norm));
      for (int64_t k = layer + 1; k <= config_.layers; ++k) {
        for (size_t i = 0; i < y.size(); ++i) streams[k][i] += y[i];
      }
      AppendLogits(streams.back(), logits);
    }
    return logits;
  }

 private:
  double Param(const Slot& slot, int64_t i) const {
    return problem_.params[slot.offset + i];
  }

  std::vector<double> Linear(const Slot& weight, const Slot& bias,
                             const std::vector<double>& x) const {
    std::vector<double> y(bias.size);
    const int64_t in = static_cast<int64_t>(x.size());
    for (int64_t i = 0; i < bias.size; ++i) {
      y[i] = Param(bias, i);
      for (int64_t j = 0; j < in; ++j) y[i] += Param(weight, i * in + j) * x[j];
    }
    return y;
  }

  static void Relu(std::vector<double>& x) {
    for (double& value : x) value = std::max(value, 0.0);
  }

  // Every position over its channels.
  std::vector<double> Normal(const std::vector<double>& x,
                             const Norm& norm) const {
    const size_t n = static_cast<size_t>(config_.width);
    std::vector<double> y(x.size());
    for (size_t at = 0; at < x.size(); at += n) {
      double mean = 0;
      for (size_t i = 0; i < n; ++i) mean += x[at + i] / n;
      double variance = 0;
      for (size_t i = 0; i < n; ++i) {
        variance += (x[at + i] - mean) * (x[at + i] - mean) / n;
      }
      for (size_t i = 0; i < n; ++i) {
        y[at + i] = (x[at + i] - mean) / std::sqrt(variance + 1e-5) *
                        Param(norm.weight, i) +
                    Param(norm.bias, i);
      }
    }
    return y;
  }

  // A convolution of x [height,width,channels], pixel by pixel.
  std::vector<double> Conv(const std::vector<double>& x, int64_t height,
                           int64_t width, int64_t channels,
                           const PatchConfig& patch, const Slot& weight,
                           const Slot& bias) const {
    std::vector<double> y;
    const int64_t size = patch.size;
    const auto tap = [&](int64_t row, int64_t column, int64_t from) {
      double sum = 0;
      if (row < 0 || row >= height || column < 0 || column >= width) return sum;
      for (int64_t c = 0; c < channels; ++c) {
        sum += x[(row * width + column) * channels + c] *
               Param(weight, from * channels + c);
      }
      return sum;
    };
    for (int64_t i = -patch.padding; i + size <= height + patch.padding;
         i += patch.stride) {
      for (int64_t j = -patch.padding; j + size <= width + patch.padding;
           j += patch.stride) {
        for (int64_t o = 0; o < bias.size; ++o) {
          y.push_back(Param(bias, o));
          for (int64_t k = 0; k < size * size; ++k) {
            y.back() += tap(i + k / size, j + k % size, o * size * size + k);
          }
        }
      }
    }
    return y;
  }

  bool conv() const { return config_.expert == ExpertKind::kConv; }

  std::vector<double> Stem(const std::vector<double>& x) const {
    if (config_.text()) {
      std::vector<double> vectors;
      for (const double byte : x) {
        const int64_t at = static_cast<int64_t>(byte) * config_.embedding;
        for (int64_t i = at; i < at + config_.embedding; ++i) {
          vectors.push_back(Param(parts_.stem.table, i));
        }
      }
      return Linear(parts_.stem.weight, parts_.stem.bias, vectors);
    }
    if (!conv()) return Linear(parts_.stem.weight, parts_.stem.bias, x);
    std::vector<double> map = x;
    for (const ConvStem::Layer& layer : parts_.stem.convs.layers) {
      const MapShape& from = layer.shape.from;
      map = Conv(map, from.height, from.width, from.channels, layer.shape.patch,
                 layer.weight, layer.bias);
      if (layer.activation == Activation::kRelu) Relu(map);
    }
    return map;
  }

  std::vector<double> RunExpert(const Expert& expert,
                                const std::vector<double>& x) const {
    const int64_t height = config_.map_height();
    const int64_t width = config_.map_width();
    std::vector<double> hidden =
        conv() ? Conv(x, height, width, config_.width, {3, 1, 1},
                      expert.up_weight, expert.up_bias)
               : Linear(expert.up_weight, expert.up_bias, x);
    Relu(hidden);
    // A 1x1 convolution; of an mlp, on a map of one position.
    return Conv(hidden, height, width, config_.hidden, {1, 1, 0},
                expert.down_weight, expert.down_bias);
  }

  void AppendLogits(const std::vector<double>& z,
                    std::vector<double>& logits) const {
    std::vector<double> normal = Normal(z, parts_.head.norm);
    if (conv()) Relu(normal);
    const std::vector<double> y =
        Linear(parts_.head.weight, parts_.head.bias, normal);
    logits.insert(logits.end(), y.begin(), y.end());
  }

  const Problem& problem_;
  const ModelConfig& config_;
  const MreParams& parts_;
};

}  // namespace mre

#endif  // MRE_TESTS_MODEL_NET_MRE_PROBLEM_H_
