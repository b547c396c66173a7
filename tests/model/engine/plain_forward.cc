#include "tests/model/engine/plain_forward.h"

#include <algorithm>
#include <cmath>

namespace mre {
namespace {

using Vector = std::vector<double>;

class Forward {
 public:
  explicit Forward(const Model& model)
      : config_(model.config), parts_(config_), params_(model.params) {}

  std::vector<PlainStep> Run(std::span<const float> input,
                             std::span<const int64_t> order) {
    const Vector h = Stem(input);
    Route(h);
    // streams[l] as they stand after the experts run so far.
    std::vector<Vector> streams(config_.layers + 1, h);
    std::vector<bool> active(config_.total_experts());
    std::vector<PlainStep> steps = {Exit(streams.back(), active)};
    for (const int64_t expert : order) {
      const int64_t layer = expert / config_.experts;
      Vector y = Normal(streams[layer], parts_.layers[layer].norm.weight,
                        parts_.layers[layer].norm.bias);
      y = Linear(y, parts_.expert(expert).up_weight,
                 parts_.expert(expert).up_bias);
      for (double& value : y) value = std::max(value, 0.0);
      y = Linear(y, parts_.expert(expert).down_weight,
                 parts_.expert(expert).down_bias);
      for (int64_t k = layer + 1; k <= config_.layers; ++k) {
        for (int64_t i = 0; i < config_.width; ++i) streams[k][i] += y[i];
      }
      active[expert] = true;
      steps.push_back(Exit(streams.back(), active));
    }
    return steps;
  }

 private:
  double at(const Slot& slot, int64_t i) const {
    return params_[slot.offset + i];
  }

  Vector Linear(const Vector& x, const Slot& weight, const Slot& bias) const {
    Vector y(bias.size);
    for (int64_t o = 0; o < bias.size; ++o) {
      y[o] = at(bias, o);
      for (size_t i = 0; i < x.size(); ++i) {
        y[o] += at(weight, o * static_cast<int64_t>(x.size()) + i) * x[i];
      }
    }
    return y;
  }

  Vector Normal(const Vector& x, const Slot& gain, const Slot& bias) const {
    const auto n = static_cast<double>(x.size());
    double mean = 0, variance = 0;
    for (const double value : x) mean += value / n;
    for (const double value : x) {
      variance += (value - mean) * (value - mean) / n;
    }
    Vector y(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      y[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * at(gain, i) +
             at(bias, i);
    }
    return y;
  }

  static Vector Softmax(Vector x) {
    const double largest = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double& value : x) sum += value = std::exp(value - largest);
    for (double& value : x) value /= sum;
    return x;
  }

  Vector Stem(std::span<const float> input) const {
    Vector x(input.begin(), input.end());
    const size_t channels = config_.input.mean.size();
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = (x[i] * config_.input.scale - config_.input.mean[i % channels]) /
             config_.input.std[i % channels];
    }
    Vector h = Linear(x, parts_.stem.weight, parts_.stem.bias);
    if (config_.stem_activation == Activation::kRelu) {
      for (double& value : h) value = std::max(value, 0.0);
    }
    return h;
  }

  // Fills step_[l][j][i]: the probability that a ray goes from expert j of
  // layer l-1 to expert i of layer l; layer 0 has the one row of the entry.
  void Route(const Vector& h) {
    Vector u =
        Linear(h, parts_.router.context_weight, parts_.router.context_bias);
    for (double& value : u) value = std::tanh(value);
    for (int64_t l = 0; l < config_.layers; ++l) {
      const Vector gate =
          Linear(u, parts_.router.gate_weight[l], parts_.router.gate_bias[l]);
      std::vector<Vector>& rows = step_.emplace_back();
      if (l == 0) rows.push_back(Softmax(gate));
      for (int64_t j = 0; l > 0 && j < config_.experts; ++j) {
        Vector logits = gate;
        for (int64_t i = 0; i < config_.experts; ++i) {
          logits[i] += at(parts_.router.transition[l], j * config_.experts + i);
        }
        rows.push_back(Softmax(logits));
      }
    }
  }

  // Follows the ray mass `mass` that reaches expert i of layer l, path by
  // path.
  void Walk(int64_t l, int64_t i, double mass, const std::vector<bool>& active,
            PlainStep& step) const {
    const int64_t expert = l * config_.experts + i;
    if (!active[expert]) {
      step.rates[expert] = std::max(step.rates[expert], 0.0) + mass;
      return;
    }
    if (l + 1 == config_.layers) {
      step.coverage += mass;
      return;
    }
    for (int64_t k = 0; k < config_.experts; ++k) {
      Walk(l + 1, k, mass * step_[l + 1][i][k], active, step);
    }
  }

  PlainStep Exit(const Vector& z, const std::vector<bool>& active) const {
    PlainStep step;
    step.probabilities = Softmax(
        Linear(Normal(z, parts_.head.norm.weight, parts_.head.norm.bias),
               parts_.head.weight, parts_.head.bias));
    step.rates.assign(config_.total_experts(), -1.0);
    for (int64_t i = 0; i < config_.experts; ++i) {
      Walk(0, i, step_[0][0][i], active, step);
    }
    return step;
  }

  const ModelConfig& config_;
  const MreParams parts_;
  const std::vector<float>& params_;
  std::vector<std::vector<Vector>> step_;
};

}  // namespace

std::vector<PlainStep> PlainForward(const Model& model,
                                    std::span<const float> input,
                                    std::span<const int64_t> order) {
  return Forward(model).Run(input, order);
}

}  // namespace mre
