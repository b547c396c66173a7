#include "model/net/mre_router.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/base/rng.h"
#include "model/net/batch_ops.h"
#include "model/net/features.h"
#include "model/net/router_noise.h"

namespace mre {
namespace {

// Added to a rate before its logarithm, so that a candidate that hardly any
// ray reaches has a finite score and a bounded gradient.
constexpr float kRateFloor = 1e-8f;

// Gumbel noise for training from 12 random bits: the middles of 4096 slices of
// equal probability. Two logarithms a candidate would cost as much as the
// experts themselves.
float CoarseGumbel(uint64_t bits) {
  static const auto kTable = [] {
    std::array<float, 4096> table;
    for (size_t i = 0; i < table.size(); ++i) {
      const double uniform = (static_cast<double>(i) + 0.5) / table.size();
      table[i] = static_cast<float>(-std::log(-std::log(uniform)));
    }
    return table;
  }();
  return kTable[bits >> 52];
}

RoutingShape ShapeOf(const ModelConfig& config) {
  return {config.layers, config.experts};
}

// The learned transitions B_1..B_{L-1} one after the other: [L-1,N,N].
std::vector<float> Transitions(const ModelConfig& config,
                               const MreRouterParams& router,
                               std::span<const float> params) {
  std::vector<float> transitions;
  for (int64_t l = 1; l < config.layers; ++l) {
    const auto slot = router.transition[l].of(params);
    transitions.insert(transitions.end(), slot.begin(), slot.end());
  }
  return transitions;
}

// What the routing network reads, [B,F].
const float* RouterInput(const Features& features, const Unrolled& u) {
  return features.identity() ? u.h.data() : u.features.data();
}

// The order of one row's experts, with what the gradient needs of it.
class RowRouter {
 public:
  RowRouter(const RoutingShape& shape, const UnrollOptions& options)
      : options_(options),
        shape_(shape),
        rates_(shape.total()),
        log_rates_(shape.total()),
        scores_(shape.total()),
        active_(shape.total()) {}

  void Run(int64_t row, Unrolled& u) {
    const float* probabilities =
        u.probabilities.data() + row * shape_.probabilities();
    std::fill(active_.begin(), active_.end(), 0);
    float* coverage = u.coverage.data() + row * (u.steps + 1);
    coverage[0] =
        TraceRays(shape_, probabilities, active_.data(), rates_.data());
    for (int64_t t = 0; t < u.steps; ++t) {
      const int64_t pair = row * u.steps + t;
      int64_t chosen = Score(row, t);
      if (!options_.order.empty()) chosen = options_.order[pair];
      u.weight[pair] = 1;
      if (u.rivals.empty()) {
        float* soft = u.soft.data() + pair * shape_.total();
        Relax(soft);
        if (!options_.anchor.empty()) {
          u.weight[pair] = 1 + soft[chosen] - options_.anchor[pair];
        }
      } else {
        const int64_t rival = options_.rivals.empty()
                                  ? DrawRival(row, t, chosen)
                                  : options_.rivals[pair];
        u.rivals.expert[pair] = static_cast<int32_t>(rival);
        u.rivals.odds[pair] = Odds(chosen, rival);
      }
      u.order[pair] = static_cast<int32_t>(chosen);
      active_[chosen] = 1;
      coverage[t + 1] =
          TraceRays(shape_, probabilities, active_.data(), rates_.data());
    }
  }

 private:
  // Fills log_rates_ and scores_; returns the candidate to run next.
  int64_t Score(int64_t row, int64_t step) {
    const uint64_t key = DrawKey(options_.seed, row, step);
    int64_t best = -1;
    for (int64_t e = 0; e < shape_.total(); ++e) {
      if (rates_[e] < 0) continue;
      log_rates_[e] = std::log(rates_[e] + kRateFloor);
      scores_[e] = log_rates_[e];
      if (options_.noise > 0) {
        scores_[e] += options_.noise * CoarseGumbel(Mix64(key + e));
      }
      if (best < 0 || scores_[e] > scores_[best]) best = e;
    }
    // Without noise exactly what the server does.
    return options_.noise > 0 ? best : LargestRate(rates_);
  }

  // Another candidate, in proportion to the rates; -1 when there is none.
  int64_t DrawRival(int64_t row, int64_t step, int64_t chosen) const {
    const uint64_t key = Mix64(DrawKey(options_.seed, row, step));
    int64_t best = -1;
    float best_score = 0;
    for (int64_t e = 0; e < shape_.total(); ++e) {
      if (rates_[e] < 0 || e == chosen) continue;
      const float score = log_rates_[e] + CoarseGumbel(Mix64(key + e));
      if (best >= 0 && score <= best_score) continue;
      best = e;
      best_score = score;
    }
    return best;
  }

  // q: the share of the chosen one in the rates of both.
  float Odds(int64_t chosen, int64_t rival) const {
    if (rival < 0) return 1;
    return 1 / (1 + std::exp(log_rates_[rival] - log_rates_[chosen]));
  }

  // The softmax of the candidates' scores; 0 for the others.
  void Relax(float* soft) {
    float largest = -1e30f;
    for (int64_t e = 0; e < shape_.total(); ++e) {
      if (rates_[e] >= 0) largest = std::max(largest, scores_[e]);
    }
    float sum = 0;
    for (int64_t e = 0; e < shape_.total(); ++e) {
      soft[e] = rates_[e] < 0
                    ? 0
                    : std::exp((scores_[e] - largest) / options_.temperature);
      sum += soft[e];
    }
    for (int64_t e = 0; e < shape_.total(); ++e) soft[e] /= sum;
  }

  const UnrollOptions& options_;
  const RoutingShape shape_;
  std::vector<float> rates_;
  std::vector<float> log_rates_;  // of the candidates
  std::vector<float> scores_;     // the same with noise
  std::vector<uint8_t> active_;
};

// One row's gradient from its steps' weights (or from its pairs' credits) back
// to the gates' scores (the arguments of the softmaxes that gave p and T).
class RowRouterBackward {
 public:
  RowRouterBackward(const RoutingShape& shape, const UnrollOptions& options)
      : options_(options),
        shape_(shape),
        flow_(shape.total()),
        dflow_(shape.total()),
        dscore_(shape.total()),
        dprobabilities_(shape.probabilities()),
        active_(shape.total()) {}

  // dscores: [P], overwritten.
  void Run(int64_t row, const Unrolled& u, const float* dweight,
           float* dscores) {
    const float* probabilities =
        u.probabilities.data() + row * shape_.probabilities();
    std::fill(active_.begin(), active_.end(), 0);
    std::fill(dprobabilities_.begin(), dprobabilities_.end(), 0.0f);
    for (int64_t t = 0; t < u.steps; ++t) {
      const int64_t pair = row * u.steps + t;
      Flow(probabilities);
      if (u.rivals.empty()) {
        StraightThrough(u.soft.data() + pair * shape_.total(), u.order[pair],
                        dweight[t]);
      } else {
        Pair(u, pair);
      }
      FlowBackward(probabilities);
      active_[u.order[pair]] = 1;
    }
    const int64_t n = shape_.experts;
    std::fill(dscores, dscores + shape_.probabilities(), 0.0f);
    for (int64_t at = 0; at < shape_.probabilities(); at += n) {
      SoftmaxBackwardAdd(probabilities + at, dprobabilities_.data() + at, n,
                         dscores + at);
    }
  }

 private:
  // The mass that arrives at each expert, active or not (routing.h).
  void Flow(const float* probabilities) {
    const int64_t n = shape_.experts;
    std::copy(probabilities, probabilities + n, flow_.begin());
    for (int64_t l = 1; l < shape_.layers; ++l) {
      float* flow = flow_.data() + l * n;
      std::fill(flow, flow + n, 0.0f);
      for (int64_t j = 0; j < n; ++j) {
        const int64_t below = (l - 1) * n + j;
        if (!active_[below]) continue;
        AddScaled(probabilities + shape_.transition(l) + j * n, flow_[below], n,
                  flow);
      }
    }
  }

  // d(weight of the chosen) -> dscore_, through the relaxed choice.
  void StraightThrough(const float* soft, int64_t chosen, float dweight) {
    const float scale = dweight * soft[chosen] / options_.temperature;
    for (int64_t e = 0; e < shape_.total(); ++e) {
      dscore_[e] = scale * ((e == chosen ? 1.0f : 0.0f) - soft[e]);
    }
  }

  // d(odds) -> dscore_.
  void Pair(const Unrolled& u, int64_t pair) {
    std::fill(dscore_.begin(), dscore_.end(), 0.0f);
    const int32_t rival = u.rivals.expert[pair];
    if (rival < 0) return;
    const float odds = u.rivals.odds[pair];
    const float slope =
        u.rivals.credit[pair] * odds * (1 - odds) / static_cast<float>(u.rows);
    dscore_[u.order[pair]] = slope;
    dscore_[rival] = -slope;
  }

  // dscore_, that of the logarithm of each candidate's rate -> dprobabilities_,
  // through the logarithm and the flow.
  void FlowBackward(const float* probabilities) {
    const int64_t n = shape_.experts;
    for (int64_t l = shape_.layers - 1; l >= 0; --l) {
      const float* dnext = dflow_.data() + (l + 1) * n;
      for (int64_t j = 0; j < n; ++j) {
        const int64_t e = l * n + j;
        if (!active_[e]) {
          dflow_[e] = dscore_[e] / (flow_[e] + kRateFloor);
        } else if (l + 1 == shape_.layers) {
          dflow_[e] = 0;  // coverage has no part in the loss
        } else {
          const int64_t row = shape_.transition(l + 1) + j * n;
          dflow_[e] = Dot(probabilities + row, dnext, n);
          AddScaled(dnext, flow_[e], n, dprobabilities_.data() + row);
        }
      }
    }
    Add(dflow_.data(), n, dprobabilities_.data());
  }

  const UnrollOptions& options_;
  const RoutingShape shape_;
  std::vector<float> flow_;
  std::vector<float> dflow_;
  std::vector<float> dscore_;
  std::vector<float> dprobabilities_;
  std::vector<uint8_t> active_;
};

}  // namespace

void RouteForward(const ModelConfig& config, const MreRouterParams& parts,
                  std::span<const float> params, const UnrollOptions& options,
                  Unrolled& u) {
  const RoutingShape shape = ShapeOf(config);
  const int64_t n = config.experts;
  const int64_t r = config.context;
  const Features features(config);
  if (!features.identity()) {
    u.features.resize(u.rows * features.size());
    u.feature_stats.resize(u.rows * 2);
  }
  u.context.resize(u.rows * r);
  u.probabilities.resize(u.rows * shape.probabilities());
  u.order.resize(u.rows * u.steps);
  u.weight.resize(u.rows * u.steps);
  u.coverage.resize(u.rows * (u.steps + 1));
  const bool pairs = options.router == RouterTraining::kPairs &&
                     (!options.labels.empty() || !options.rivals.empty());
  u.soft.resize(pairs ? 0 : u.rows * u.steps * shape.total());
  u.rivals.expert.resize(pairs ? u.rows * u.steps : 0);
  u.rivals.odds.resize(u.rivals.expert.size());
  const std::vector<float> transitions = Transitions(config, parts, params);
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    const int64_t rows = end - begin;
    for (int64_t b = begin; b < end && !features.identity(); ++b) {
      features.Forward(u.h.data() + b * config.stream_size(),
                       u.features.data() + b * features.size(),
                       u.feature_stats.data() + b * 2);
    }
    float* context = u.context.data() + begin * r;
    LinearRows(parts.context_weight.in(params), parts.context_bias.in(params),
               RouterInput(features, u) + begin * features.size(), rows,
               features.size(), r, context);
    for (int64_t i = 0; i < rows * r; ++i) context[i] = std::tanh(context[i]);
    std::vector<float> gate(rows * n);
    std::vector<float> logits(rows * shape.total());
    for (int64_t l = 0; l < config.layers; ++l) {
      LinearRows(parts.gate_weight[l].in(params), parts.gate_bias[l].in(params),
                 context, rows, r, n, gate.data());
      for (int64_t b = 0; b < rows; ++b) {
        std::copy_n(gate.data() + b * n, n,
                    logits.data() + b * shape.total() + l * n);
      }
    }
    for (int64_t i = 0; i < rows * config.layers && options.router_noise > 0;
         ++i) {
      AddRouterNoise(
          options.router_noise,
          DrawKey(options.seed, begin + i / config.layers, i % config.layers),
          {logits.data() + i * n, static_cast<size_t>(n)});
    }
    RowRouter router(shape, options);
    for (int64_t b = begin; b < end; ++b) {
      RoutingProbabilities(shape, logits.data() + (b - begin) * shape.total(),
                           transitions.data(),
                           u.probabilities.data() + b * shape.probabilities());
      router.Run(b, u);
    }
  });
}

void RouteBackward(const ModelConfig& config, const MreRouterParams& parts,
                   std::span<const float> params, const UnrollOptions& options,
                   const Unrolled& u, Gradients& g, std::span<float> gradient) {
  const RoutingShape shape = ShapeOf(config);
  const int64_t n = config.experts;
  const int64_t r = config.context;
  const int64_t layers = config.layers;
  const Features features(config);
  g.scores.resize(u.rows * shape.probabilities());
  g.gates.resize(u.rows * layers * n);  // [L][B,N]
  g.context.resize(u.rows * r);
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    RowRouterBackward router(shape, options);
    for (int64_t b = begin; b < end; ++b) {
      float* dscores = g.scores.data() + b * shape.probabilities();
      router.Run(b, u, g.weight.data() + b * u.steps, dscores);
      // Every row of T_l shares the gate's logits.
      for (int64_t l = 0; l < layers; ++l) {
        float* dgate = g.gates.data() + (l * u.rows + b) * n;
        const float* from = dscores + (l == 0 ? 0 : shape.transition(l));
        std::copy_n(from, n, dgate);
        for (int64_t j = 1; l > 0 && j < n; ++j) Add(from + j * n, n, dgate);
      }
    }
    // Back through the gates and tanh to h.
    const int64_t rows = end - begin;
    float* dcontext = g.context.data() + begin * r;
    for (int64_t l = 0; l < layers; ++l) {
      Gemm(false, false, rows, r, n, g.gates.data() + (l * u.rows + begin) * n,
           n, parts.gate_weight[l].in(params), r, l == 0 ? 0 : 1, dcontext, r);
    }
    for (int64_t i = 0; i < rows * r; ++i) {
      const float context = u.context[begin * r + i];
      dcontext[i] *= 1 - context * context;
    }
    if (features.identity()) {
      Gemm(false, false, rows, features.size(), r, dcontext, r,
           parts.context_weight.in(params), features.size(), 1,
           g.h.data() + begin * features.size(), features.size());
      return;
    }
    std::vector<float> dfeatures(rows * features.size());
    Gemm(false, false, rows, features.size(), r, dcontext, r,
         parts.context_weight.in(params), features.size(), 0, dfeatures.data(),
         features.size());
    for (int64_t b = begin; b < end; ++b) {
      const int64_t at = b * config.stream_size();
      features.Backward(dfeatures.data() + (b - begin) * features.size(),
                        u.h.data() + at, u.feature_stats.data() + b * 2,
                        g.h.data() + at);
    }
  });
  for (int64_t l = 0; l < layers; ++l) {
    LinearWeightBackward(g.gates.data() + l * u.rows * n, u.context.data(),
                         u.rows, r, n, parts.gate_weight[l].in(gradient),
                         parts.gate_bias[l].in(gradient));
    if (l == 0) continue;
    float* dtransition = parts.transition[l].in(gradient);
    for (int64_t b = 0; b < u.rows; ++b) {
      Add(g.scores.data() + b * shape.probabilities() + shape.transition(l),
          n * n, dtransition);
    }
  }
  LinearWeightBackward(g.context.data(), RouterInput(features, u), u.rows,
                       features.size(), r, parts.context_weight.in(gradient),
                       parts.context_bias.in(gradient));
}

}  // namespace mre
