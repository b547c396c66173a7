#include "model/net/mre.h"

#include <algorithm>
#include <vector>

#include "model/net/batch_ops.h"
#include "model/net/mre_router.h"

namespace mre {
namespace {

void Size(std::vector<float>& buffer, int64_t floats) {
  buffer.resize(static_cast<size_t>(floats));
}

}  // namespace

// One layer's experts over all pairs that use them:
// y = down(relu(up(LayerNorm_l(z_l)))), z_l = h + sum of w y of the pairs of
// the same row at earlier steps and lower layers. Rivals too, on the z_l of
// their steps.
void MreNetwork::LayerForward(std::span<const float> params, int64_t layer) {
  const ExpertLayer& parts = parts_.layers[layer];
  const int64_t d = config_.stream_size();
  const int64_t m = config_.hidden_size();
  const int64_t n = config_.experts;
  Unrolled& u = u_;
  const auto is_rival = [&](int64_t pair) {
    return !u.rivals.empty() && u.rivals.expert[pair] >= layer * n &&
           u.rivals.expert[pair] < (layer + 1) * n;
  };
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> stream(d);
    for (int64_t b = begin; b < end; ++b) {
      std::copy_n(u.h.data() + b * d, d, stream.data());
      for (int64_t pair = b * u.steps; pair < (b + 1) * u.steps; ++pair) {
        const int64_t at = u.sorted.position[pair];
        const int64_t pair_layer = u.order[pair] / n;
        if (is_rival(pair)) {
          parts.norm.Forward(
              params, stream.data(),
              u.rivals.normal.data() + u.rivals.sorted.position[pair] * d,
              nullptr);
        }
        if (pair_layer == layer) {
          std::copy_n(stream.data(), d, u.read.data() + at * d);
          parts.norm.Forward(
              params, stream.data(), u.normal.data() + at * d,
              u.read_stats.data() + at * parts.norm.stats_size());
        } else if (pair_layer < layer) {
          AddScaled(u.wrote.data() + at * d, u.weight[pair], d, stream.data());
        }
      }
    }
  });
  ParallelFor(n, [&](int64_t i) {
    const int64_t e = layer * n + i;
    const int64_t begin = u.sorted.expert_begin[e];
    const int64_t rows = u.sorted.expert_begin[e + 1] - begin;
    if (rows > 0) {
      parts.experts[i].Forward(params, u.normal.data() + begin * d, rows,
                               u.hidden.data() + begin * m,
                               u.wrote.data() + begin * d);
    }
    if (u.rivals.empty()) return;
    const int64_t rival = u.rivals.sorted.expert_begin[e];
    const int64_t rivals = u.rivals.sorted.expert_begin[e + 1] - rival;
    if (rivals == 0) return;
    std::vector<float> hidden(rivals * m);
    parts.experts[i].Forward(params, u.rivals.normal.data() + rival * d, rivals,
                             hidden.data(), u.rivals.wrote.data() + rival * d);
  });
}

// Fills g.read, g.weight for the pairs of one layer, and its parameters'
// gradients, given g.out and g.read of all higher layers.
void MreNetwork::LayerBackward(std::span<const float> params, int64_t layer,
                               std::span<float> gradient) {
  const ExpertLayer& parts = parts_.layers[layer];
  const int64_t d = config_.stream_size();
  const int64_t m = config_.hidden_size();
  const int64_t n = config_.experts;
  const Unrolled& u = u_;
  Gradients& g = g_;
  // What a pair wrote is read by every later exit, and by every later expert
  // of a higher layer.
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> sum(d);
    for (int64_t b = begin; b < end; ++b) {
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (int64_t t = u.steps - 1; t >= 0; --t) {
        Add(g.out.data() + (b * (u.steps + 1) + t + 1) * d, d, sum.data());
        const int64_t pair = b * u.steps + t;
        const int64_t at = u.sorted.position[pair];
        const int64_t pair_layer = u.order[pair] / n;
        if (pair_layer == layer) {
          if (u.rivals.empty()) {
            g.weight[pair] = Dot(sum.data(), u.wrote.data() + at * d, d);
          }
          Scale(sum.data(), u.weight[pair], d, g.wrote.data() + at * d);
        } else if (pair_layer > layer) {
          Add(g.read.data() + at * d, d, sum.data());
        }
      }
    }
  });
  g.partial.assign(n * parts.norm.partial_size(), 0.0f);
  ParallelFor(n, [&](int64_t i) {
    const int64_t e = layer * n + i;
    const int64_t begin = u.sorted.expert_begin[e];
    const int64_t rows = u.sorted.expert_begin[e + 1] - begin;
    if (rows == 0) return;
    float* dread = g.read.data() + begin * d;
    parts.experts[i].Backward(params, u.normal.data() + begin * d,
                              u.hidden.data() + begin * m,
                              g.wrote.data() + begin * d, rows,
                              g.hidden.data() + begin * m, dread, gradient);
    std::vector<float> dnormal(d);
    for (int64_t k = 0; k < rows; ++k) {
      std::copy_n(dread + k * d, d, dnormal.data());
      parts.norm.Backward(
          params, dnormal.data(), u.read.data() + (begin + k) * d,
          u.read_stats.data() + (begin + k) * parts.norm.stats_size(),
          dread + k * d, g.partial.data() + i * parts.norm.partial_size());
    }
  });
  for (int64_t i = 0; i < n; ++i) {
    parts.norm.Collect(g.partial.data() + i * parts.norm.partial_size(),
                       gradient);
  }
}

// z_L and the logits at every step.
void MreNetwork::HeadForward(std::span<const float> params) {
  const int64_t d = config_.stream_size();
  const int64_t exits = u_.steps + 1;
  ForRowBlocks(u_.rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      float* z = u_.out.data() + b * exits * d;
      std::copy_n(u_.h.data() + b * d, d, z);
      for (int64_t t = 0; t < u_.steps; ++t, z += d) {
        const int64_t pair = b * u_.steps + t;
        std::copy_n(z, d, z + d);
        AddScaled(u_.wrote.data() + u_.sorted.position[pair] * d,
                  u_.weight[pair], d, z + d);
      }
    }
    parts_.head.Forward(params, u_.out.data(), begin * exits, end * exits,
                        u_.head, u_.logits.data());
  });
}

Exits MreNetwork::Forward(std::span<const float> params, const float* x,
                          int64_t rows, const PassOptions& options) {
  UnrollOptions unroll;
  static_cast<PassOptions&>(unroll) = options;
  Unroll(params, x, rows, unroll);
  return {u_.rows, u_.steps, u_.logits, u_.coverage, u_.order};
}

const Unrolled& MreNetwork::Unroll(std::span<const float> params,
                                   const float* x, int64_t rows,
                                   const UnrollOptions& options) {
  const int64_t d = config_.stream_size();
  const int64_t pairs = rows * options.steps;
  const int64_t exits = rows * (options.steps + 1);
  options_ = options;
  u_.rows = rows;
  u_.steps = options.steps;
  Size(u_.h, rows * d);
  Size(u_.read, pairs * d);
  Size(u_.read_stats, pairs * parts_.layers[0].norm.stats_size());
  Size(u_.normal, pairs * d);
  Size(u_.hidden, pairs * config_.hidden_size());
  Size(u_.wrote, pairs * d);
  Size(u_.out, exits * d);
  u_.head.Resize(parts_.head, exits);
  Size(u_.logits, exits * config_.num_classes());
  parts_.stem.Forward(params, x, u_.rows, u_.maps, u_.h.data());
  RouteForward(config_, parts_.router, params, options_, u_);
  u_.sorted.Sort(u_.order, config_.total_experts());
  if (!u_.rivals.empty()) {
    u_.rivals.sorted.Sort(u_.rivals.expert, config_.total_experts());
    Size(u_.rivals.normal, pairs * d);
    Size(u_.rivals.wrote, pairs * d);
  }
  for (int64_t l = 0; l < config_.layers; ++l) LayerForward(params, l);
  HeadForward(params);
  if (!u_.rivals.empty()) CreditRivals(params);
  return u_;
}

void MreNetwork::Backward(std::span<const float> params, const float* x,
                          const float* dlogits, std::span<float> gradient) {
  const int64_t d = config_.stream_size();
  Size(g_.out, u_.rows * (u_.steps + 1) * d);
  Size(g_.read, u_.rows * u_.steps * d);
  Size(g_.wrote, u_.rows * u_.steps * d);
  Size(g_.hidden, u_.rows * u_.steps * config_.hidden_size());
  Size(g_.weight, u_.rows * u_.steps);
  Size(g_.h, u_.rows * d);
  parts_.head.Backward(params, u_.out.data(), dlogits, u_.rows, u_.steps + 1,
                       u_.head, g_.out.data(), gradient);
  for (int64_t l = config_.layers - 1; l >= 0; --l) {
    LayerBackward(params, l, gradient);
  }
  // h is what every stream starts from.
  ForRowBlocks(u_.rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      float* dh = g_.h.data() + b * d;
      std::fill(dh, dh + d, 0.0f);
      for (int64_t t = 0; t <= u_.steps; ++t) {
        Add(g_.out.data() + (b * (u_.steps + 1) + t) * d, d, dh);
      }
      for (int64_t t = 0; t < u_.steps; ++t) {
        Add(g_.read.data() + u_.sorted.position[b * u_.steps + t] * d, d, dh);
      }
    }
  });
  if (options_.router != RouterTraining::kNone) {
    RouteBackward(config_, parts_.router, params, options_, u_, g_, gradient);
  }
  parts_.stem.Backward(params, x, u_.maps, u_.h.data(), u_.rows, g_.h.data(),
                       gradient);
}

}  // namespace mre
