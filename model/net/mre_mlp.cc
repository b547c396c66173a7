#include "model/net/mre_mlp.h"

#include <cmath>
#include <cstring>

#include "model/base/rng.h"
#include "model/net/batch_ops.h"
#include "model/net/mre_mlp_router.h"

namespace mre {
namespace {

void FillGaussian(std::span<float> values, double std, Rng& rng) {
  for (float& value : values) {
    value = static_cast<float>(rng.Gaussian() * std);
  }
}

void Size(std::vector<float>& buffer, int64_t floats) {
  buffer.resize(static_cast<size_t>(floats));
}

// Sorts the (row, step) pairs by expert: fills position and expert_begin.
void SortByExpert(int64_t experts, Unrolled& u) {
  u.expert_begin.assign(experts + 1, 0);
  for (const int32_t expert : u.order) ++u.expert_begin[expert + 1];
  for (int64_t e = 0; e < experts; ++e) {
    u.expert_begin[e + 1] += u.expert_begin[e];
  }
  std::vector<int64_t> next(u.expert_begin.begin(), u.expert_begin.end() - 1);
  u.position.resize(u.order.size());
  for (size_t i = 0; i < u.order.size(); ++i) {
    u.position[i] = next[u.order[i]]++;
  }
}

// stem: h = activation(Ws x + bs).
void StemForward(const ModelConfig& config, const Layout& layout,
                 std::span<const float> params, const float* x, Unrolled& u) {
  const int64_t d = config.width;
  const int64_t in = config.input.size();
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    float* h = u.h.data() + begin * d;
    LinearRows(layout.stem_weight.in(params), layout.stem_bias.in(params),
               x + begin * in, end - begin, in, d, h);
    if (config.stem_activation == Activation::kRelu) {
      for (int64_t i = 0; i < (end - begin) * d; ++i) {
        h[i] = std::max(h[i], 0.0f);
      }
    }
  });
}

void StemBackward(const ModelConfig& config, const Layout& layout,
                  const float* x, const Unrolled& u, Gradients& g) {
  const int64_t d = config.width;
  if (config.stem_activation == Activation::kRelu) {
    for (int64_t i = 0; i < u.rows * d; ++i) {
      if (u.h[i] <= 0) g.h[i] = 0;
    }
  }
  LinearWeightBackward(g.h.data(), x, u.rows, config.input.size(), d,
                       layout.stem_weight.in(g.params),
                       layout.stem_bias.in(g.params));
}

// One layer's experts over all pairs that use them:
// y = down(relu(up(LayerNorm_l(z_l)))), z_l = h + sum of w y of the pairs of
// the same row at earlier steps and lower layers.
void LayerForward(const ModelConfig& config, const Layout& layout,
                  std::span<const float> params, int64_t layer, Unrolled& u) {
  const int64_t d = config.width;
  const int64_t m = config.hidden;
  const int64_t n = config.experts;
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> stream(d);
    for (int64_t b = begin; b < end; ++b) {
      std::copy_n(u.h.data() + b * d, d, stream.data());
      for (int64_t pair = b * u.steps; pair < (b + 1) * u.steps; ++pair) {
        const int64_t at = u.position[pair];
        const int64_t pair_layer = u.order[pair] / n;
        if (pair_layer == layer) {
          std::copy_n(stream.data(), d, u.read.data() + at * d);
          LayerNorm(stream.data(), d, layout.norm_weight[layer].in(params),
                    layout.norm_bias[layer].in(params),
                    u.normal.data() + at * d, u.read_stats.data() + at * 2);
        } else if (pair_layer < layer) {
          AddScaled(u.wrote.data() + at * d, u.weight[pair], d, stream.data());
        }
      }
    }
  });
  ParallelFor(n, [&](int64_t i) {
    const int64_t e = layer * n + i;
    const int64_t begin = u.expert_begin[e];
    const int64_t rows = u.expert_begin[e + 1] - begin;
    if (rows == 0) return;
    float* hidden = u.hidden.data() + begin * m;
    LinearRows(layout.up_weight[e].in(params), layout.up_bias[e].in(params),
               u.normal.data() + begin * d, rows, d, m, hidden);
    for (int64_t k = 0; k < rows * m; ++k) {
      hidden[k] = std::max(hidden[k], 0.0f);
    }
    LinearRows(layout.down_weight[e].in(params), layout.down_bias[e].in(params),
               hidden, rows, m, d, u.wrote.data() + begin * d);
  });
}

// Fills g.read, g.weight for the pairs of one layer, and its parameters'
// gradients, given g.out and g.read of all higher layers.
void LayerBackward(const ModelConfig& config, const Layout& layout,
                   std::span<const float> params, int64_t layer,
                   const Unrolled& u, Gradients& g) {
  const int64_t d = config.width;
  const int64_t m = config.hidden;
  const int64_t n = config.experts;
  // What a pair wrote is read by every later exit, and by every later expert
  // of a higher layer.
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> sum(d);
    for (int64_t b = begin; b < end; ++b) {
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (int64_t t = u.steps - 1; t >= 0; --t) {
        Add(g.out.data() + (b * (u.steps + 1) + t + 1) * d, d, sum.data());
        const int64_t pair = b * u.steps + t;
        const int64_t at = u.position[pair];
        const int64_t pair_layer = u.order[pair] / n;
        if (pair_layer == layer) {
          g.weight[pair] = Dot(sum.data(), u.wrote.data() + at * d, d);
          for (int64_t k = 0; k < d; ++k) {
            g.wrote[at * d + k] = u.weight[pair] * sum[k];
          }
        } else if (pair_layer > layer) {
          Add(g.read.data() + at * d, d, sum.data());
        }
      }
    }
  });
  Size(g.partial, n * 2 * d);
  std::fill(g.partial.begin(), g.partial.end(), 0.0f);
  ParallelFor(n, [&](int64_t i) {
    const int64_t e = layer * n + i;
    const int64_t begin = u.expert_begin[e];
    const int64_t rows = u.expert_begin[e + 1] - begin;
    if (rows == 0) return;
    const float* dy = g.wrote.data() + begin * d;
    const float* hidden = u.hidden.data() + begin * m;
    const float* normal = u.normal.data() + begin * d;
    float* dhidden = g.hidden.data() + begin * m;
    float* dread = g.read.data() + begin * d;
    Gemm(true, false, d, m, rows, dy, d, hidden, m, 1,
         layout.down_weight[e].in(g.params), m);
    BiasBackward(dy, rows, d, layout.down_bias[e].in(g.params));
    Gemm(false, false, rows, m, d, dy, d, layout.down_weight[e].in(params), m,
         0, dhidden, m);
    for (int64_t k = 0; k < rows * m; ++k) {
      if (hidden[k] <= 0) dhidden[k] = 0;
    }
    Gemm(true, false, m, d, rows, dhidden, m, normal, d, 1,
         layout.up_weight[e].in(g.params), d);
    BiasBackward(dhidden, rows, m, layout.up_bias[e].in(g.params));
    Gemm(false, false, rows, d, m, dhidden, m, layout.up_weight[e].in(params),
         d, 0, dread, d);
    for (int64_t k = 0; k < rows; ++k) {
      float* dnorm = g.partial.data() + i * 2 * d;
      std::vector<float> dnormal(dread + k * d, dread + (k + 1) * d);
      LayerNormBackward(dnormal.data(), u.read.data() + (begin + k) * d,
                        u.read_stats.data() + (begin + k) * 2, d,
                        layout.norm_weight[layer].in(params), dread + k * d,
                        dnorm, dnorm + d);
    }
  });
  for (int64_t i = 0; i < n; ++i) {
    const float* dnorm = g.partial.data() + i * 2 * d;
    Add(dnorm, d, layout.norm_weight[layer].in(g.params));
    Add(dnorm + d, d, layout.norm_bias[layer].in(g.params));
  }
}

// z_L and the logits at every step.
void HeadForward(const ModelConfig& config, const Layout& layout,
                 std::span<const float> params, Unrolled& u) {
  const int64_t d = config.width;
  const int64_t c = config.num_classes();
  const int64_t exits = u.steps + 1;
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t t = 0; t < exits; ++t) {
        float* z = u.out.data() + (b * exits + t) * d;
        if (t == 0) {
          std::copy_n(u.h.data() + b * d, d, z);
        } else {
          const int64_t pair = b * u.steps + t - 1;
          std::copy_n(z - d, d, z);
          AddScaled(u.wrote.data() + u.position[pair] * d, u.weight[pair], d,
                    z);
        }
        LayerNorm(z, d, layout.head_norm_weight.in(params),
                  layout.head_norm_bias.in(params),
                  u.out_normal.data() + (b * exits + t) * d,
                  u.out_stats.data() + (b * exits + t) * 2);
      }
    }
    LinearRows(layout.head_weight.in(params), layout.head_bias.in(params),
               u.out_normal.data() + begin * exits * d, (end - begin) * exits,
               d, c, u.logits.data() + begin * exits * c);
  });
}

// Fills g.out and the head's gradients.
void HeadBackward(const ModelConfig& config, const Layout& layout,
                  std::span<const float> params, const Unrolled& u,
                  const float* dlogits, Gradients& g) {
  const int64_t d = config.width;
  const int64_t c = config.num_classes();
  const int64_t exits = u.steps + 1;
  LinearWeightBackward(dlogits, u.out_normal.data(), u.rows * exits, d, c,
                       layout.head_weight.in(g.params),
                       layout.head_bias.in(g.params));
  const int64_t blocks = (u.rows + kRowBlock - 1) / kRowBlock;
  Size(g.partial, blocks * 2 * d);
  std::fill(g.partial.begin(), g.partial.end(), 0.0f);
  ForRowBlocks(u.rows, [&](int64_t block, int64_t begin, int64_t end) {
    const int64_t first = begin * exits;
    const int64_t count = (end - begin) * exits;
    std::vector<float> dnormal(count * d);
    Gemm(false, false, count, d, c, dlogits + first * c, c,
         layout.head_weight.in(params), d, 0, dnormal.data(), d);
    float* dnorm = g.partial.data() + block * 2 * d;
    for (int64_t k = 0; k < count; ++k) {
      LayerNormBackward(dnormal.data() + k * d, u.out.data() + (first + k) * d,
                        u.out_stats.data() + (first + k) * 2, d,
                        layout.head_norm_weight.in(params),
                        g.out.data() + (first + k) * d, dnorm, dnorm + d);
    }
  });
  for (int64_t block = 0; block < blocks; ++block) {
    const float* dnorm = g.partial.data() + block * 2 * d;
    Add(dnorm, d, layout.head_norm_weight.in(g.params));
    Add(dnorm + d, d, layout.head_norm_bias.in(g.params));
  }
}

}  // namespace

std::vector<float> InitialParams(const ModelConfig& config, uint64_t seed) {
  const Layout layout(config);
  std::vector<float> params(layout.total, 0.0f);
  Rng rng(seed);
  const double d = static_cast<double>(config.width);
  const auto fill = [&](const Slot& slot, double std) {
    FillGaussian({slot.in(params), static_cast<size_t>(slot.size)}, std, rng);
  };
  const auto ones = [&](const Slot& slot) {
    std::fill_n(slot.in(params), slot.size, 1.0f);
  };
  fill(layout.stem_weight, std::sqrt(1.0 / config.input.size()));
  fill(layout.context_weight, std::sqrt(1 / (3 * d)));
  for (int64_t l = 0; l < config.layers; ++l) {
    fill(layout.gate_weight[l], 0.3);
    fill(layout.transition[l], 0.5);
    ones(layout.norm_weight[l]);
  }
  for (int64_t e = 0; e < config.total_experts(); ++e) {
    fill(layout.up_weight[e], std::sqrt(2 / d));
    fill(layout.down_weight[e], 0.5 * std::sqrt(1.0 / config.hidden));
  }
  ones(layout.head_norm_weight);
  fill(layout.head_weight, std::sqrt(1 / (3 * d)));
  return params;
}

void Forward(const ModelConfig& config, const Layout& layout,
             std::span<const float> params, const float* x, int64_t rows,
             const UnrollOptions& options, Unrolled& u) {
  const int64_t d = config.width;
  const int64_t pairs = rows * options.steps;
  const int64_t exits = rows * (options.steps + 1);
  u.rows = rows;
  u.steps = options.steps;
  Size(u.h, rows * d);
  Size(u.read, pairs * d);
  Size(u.read_stats, pairs * 2);
  Size(u.normal, pairs * d);
  Size(u.hidden, pairs * config.hidden);
  Size(u.wrote, pairs * d);
  Size(u.out, exits * d);
  Size(u.out_stats, exits * 2);
  Size(u.out_normal, exits * d);
  Size(u.logits, exits * config.num_classes());
  StemForward(config, layout, params, x, u);
  RouteForward(config, layout, params, options, u);
  SortByExpert(config.total_experts(), u);
  for (int64_t l = 0; l < config.layers; ++l) {
    LayerForward(config, layout, params, l, u);
  }
  HeadForward(config, layout, params, u);
}

void Backward(const ModelConfig& config, const Layout& layout,
              std::span<const float> params, const float* x,
              const UnrollOptions& options, const Unrolled& u,
              const float* dlogits, Gradients& g) {
  const int64_t d = config.width;
  Size(g.params, layout.total);
  Size(g.out, u.rows * (u.steps + 1) * d);
  Size(g.read, u.rows * u.steps * d);
  Size(g.wrote, u.rows * u.steps * d);
  Size(g.hidden, u.rows * u.steps * config.hidden);
  Size(g.weight, u.rows * u.steps);
  Size(g.h, u.rows * d);
  HeadBackward(config, layout, params, u, dlogits, g);
  for (int64_t l = config.layers - 1; l >= 0; --l) {
    LayerBackward(config, layout, params, l, u, g);
  }
  // h is what every stream starts from.
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      float* dh = g.h.data() + b * d;
      std::fill(dh, dh + d, 0.0f);
      for (int64_t t = 0; t <= u.steps; ++t) {
        Add(g.out.data() + (b * (u.steps + 1) + t) * d, d, dh);
      }
      for (int64_t t = 0; t < u.steps; ++t) {
        Add(g.read.data() + u.position[b * u.steps + t] * d, d, dh);
      }
    }
  });
  RouteBackward(config, layout, params, options, u, g);
  StemBackward(config, layout, x, u, g);
}

double ExitLoss(const Unrolled& u, int64_t classes, const uint8_t* labels,
                std::span<const float> step_weights, float* dlogits) {
  const int64_t exits = u.steps + 1;
  std::vector<double> losses(u.rows, 0.0);
  const float scale = 1.0f / static_cast<float>(u.rows);
  ForRowBlocks(u.rows, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> p(classes);
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t t = 0; t < exits; ++t) {
        const int64_t at = (b * exits + t) * classes;
        Softmax(u.logits.data() + at, classes, p.data());
        const double likelihood = std::max(p[labels[b]], 1e-30f);
        losses[b] -= step_weights[t] * std::log(likelihood);
        if (dlogits == nullptr) continue;
        for (int64_t c = 0; c < classes; ++c) {
          dlogits[at + c] = step_weights[t] * scale * p[c];
        }
        dlogits[at + labels[b]] -= step_weights[t] * scale;
      }
    }
  });
  double loss = 0;
  for (const double row : losses) loss += row;
  return loss / static_cast<double>(u.rows);
}

}  // namespace mre
