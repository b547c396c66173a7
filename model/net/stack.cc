#include "model/net/stack.h"

#include <algorithm>
#include <cmath>

#include "model/base/rng.h"
#include "model/net/batch_ops.h"
#include "model/net/router_noise.h"
#include "model/net/routing.h"
#include "model/net/topk.h"

namespace mre {

StackNetwork::StackNetwork(const ModelConfig& config, Precision precision)
    : config_(config),
      parts_(config, precision),
      features_(config),
      size_(config.stream_size()),
      k_(config.has_router() ? config.top_k : 1),
      passes_(config.layers) {}

Exits StackNetwork::Forward(std::span<const float> params, const float* x,
                            int64_t rows, const PassOptions& options) {
  options_ = options;
  rows_ = rows;
  steps_ = options.steps;
  const bool learns =
      parts_.allocator(0) != nullptr && k_ > 1 && !options.labels.empty();
  if (learns && !keep_choices_) {
    RunPairs(params, x);
  } else {
    if (!learns) pairs_.clear();
    Run(params, x);
  }
  return {rows_, steps_, logits_, coverage_, experts_, path_};
}

void StackNetwork::Run(std::span<const float> params, const float* x) {
  const int64_t rows = rows_;
  const int64_t d = size_;
  const int64_t exits = steps_ + 1;
  out_.resize(rows * exits * d);
  logits_.resize(rows * exits * config_.num_classes());
  coverage_.resize(rows * exits);
  experts_.resize(rows * steps_ * k_);
  path_.resize(rows * steps_);
  head_.Resize(parts_.head, rows * exits);
  h_.resize(rows * d);
  parts_.stem.Forward(params, x, rows, maps_, h_.data());
  for (int64_t b = 0; b < rows; ++b) {
    std::copy_n(h_.data() + b * d, d, out(b, 0));
  }
  for (int64_t l = 0; l < steps_; ++l) LayerForward(params, l);
  ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    parts_.head.Forward(params, out_.data(), begin * exits, end * exits, head_,
                        logits_.data());
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t t = 0; t < exits; ++t) {
        coverage_[b * exits + t] =
            static_cast<float>(t) / static_cast<float>(config_.layers);
      }
      for (int64_t t = 0; t < steps_; ++t) {
        int32_t* experts = experts_.data() + (b * steps_ + t) * k_;
        for (int64_t j = 0; j < k_; ++j) {
          const int32_t chosen = passes_[t].chosen[b * k_ + j];
          experts[j] = chosen < 0
                           ? -1
                           : static_cast<int32_t>(t * config_.experts + chosen);
        }
        const float* weight = passes_[t].weight.data() + b * k_;
        path_[b * steps_ + t] =
            experts[std::max_element(weight, weight + passes_[t].count[b]) -
                    weight];
      }
    }
  });
}

void StackNetwork::LayerForward(std::span<const float> params, int64_t layer) {
  const int64_t d = size_;
  const int64_t m = config_.hidden_size();
  const ExpertLayer& parts = parts_.layers[layer];
  LayerPass& pass = passes_[layer];
  pass.stats.resize(rows_ * parts.norm.stats_size());
  if (parts_.allocator(layer) != nullptr) pass.allocation.resize(rows_ * k_);
  if (!features_.identity()) {
    pass.features.resize(rows_ * features_.size());
    pass.feature_stats.resize(rows_ * 2);
  }
  pass.normal.resize(rows_ * d);
  pass.p.resize(rows_ * config_.experts);
  pass.count.resize(rows_);
  pass.chosen.resize(rows_ * k_);
  pass.weight.resize(rows_ * k_);
  pass.read.resize(rows_ * k_ * d);
  pass.hidden.resize(rows_ * k_ * m);
  pass.wrote.resize(rows_ * k_ * d);
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      parts.norm.Forward(params, out(b, layer), pass.normal.data() + b * d,
                         pass.stats.data() + b * parts.norm.stats_size());
    }
    Choose(params, layer, begin, end);
  });
  pass.sorted.Sort(pass.chosen, config_.experts);
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    ForChoices(pass, begin, end, [&](int64_t i, int64_t b) {
      std::copy_n(pass.normal.data() + b * d, d,
                  pass.read.data() + pass.sorted.position[i] * d);
    });
  });
  ParallelFor(config_.experts, [&](int64_t i) {
    const int64_t begin = pass.sorted.expert_begin[i];
    const int64_t rows = pass.sorted.expert_begin[i + 1] - begin;
    if (rows == 0) return;
    parts.experts[i].Forward(params, pass.read.data() + begin * d, rows,
                             pass.hidden.data() + begin * m,
                             pass.wrote.data() + begin * d);
  });
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      std::copy_n(out(b, layer), d, out(b, layer + 1));
    }
    ForChoices(pass, begin, end, [&](int64_t i, int64_t b) {
      AddScaled(pass.wrote.data() + pass.sorted.position[i] * d, pass.weight[i],
                d, out(b, layer + 1));
    });
  });
}

void StackNetwork::Choose(std::span<const float> params, int64_t layer,
                          int64_t begin, int64_t end) {
  LayerPass& pass = passes_[layer];
  const int64_t n = config_.experts;
  const Gate* gate = parts_.gate(layer);
  const Gate* allocator = parts_.allocator(layer);
  if (gate == nullptr) {
    std::fill(pass.count.begin() + begin, pass.count.begin() + end, 1);
    std::fill(pass.chosen.begin() + begin, pass.chosen.begin() + end, 0);
    std::fill(pass.weight.begin() + begin, pass.weight.begin() + end, 1.0f);
    std::fill(pass.p.begin() + begin, pass.p.begin() + end, 1.0f);
    return;
  }
  for (int64_t b = begin; b < end && !features_.identity(); ++b) {
    features_.Forward(pass.normal.data() + b * size_,
                      pass.features.data() + b * features_.size(),
                      pass.feature_stats.data() + b * 2);
  }
  LinearRows(gate->weight.in(params), gate->bias.in(params),
             router_input(pass) + begin * features_.size(), end - begin,
             features_.size(), n, pass.p.data() + begin * n);
  for (int64_t b = begin; b < end && options_.router_noise > 0; ++b) {
    AddRouterNoise(options_.router_noise, DrawKey(options_.seed, b, layer),
                   {pass.p.data() + b * n, static_cast<size_t>(n)});
  }
  if (allocator != nullptr) {
    LinearRows(allocator->weight.in(params), allocator->bias.in(params),
               router_input(pass) + begin * features_.size(), end - begin,
               features_.size(), k_, pass.allocation.data() + begin * k_);
  }
  std::vector<float> score(n);
  for (int64_t b = begin; b < end; ++b) {
    float* p = pass.p.data() + b * n;
    if (!keep_choices_) {
      const uint64_t key = DrawKey(options_.seed, b, layer);
      for (int64_t i = 0; i < n; ++i) {
        score[i] = p[i];
        if (options_.noise > 0) {
          score[i] +=
              options_.noise * static_cast<float>(ToGumbel(Mix64(key + i)));
        }
      }
      pass.count[b] = allocator == nullptr ? static_cast<int32_t>(k_)
                                           : CountFor(b, layer, key + n);
      int32_t* chosen = pass.chosen.data() + b * k_;
      std::fill_n(chosen, k_, -1);
      ChooseTopk(score, {chosen, static_cast<size_t>(pass.count[b])});
    }
    Softmax(p, n, p);
    TopkWeights({p, static_cast<size_t>(n)}, Chosen(pass, b),
                pass.weight.data() + b * k_);
  }
}

int32_t StackNetwork::CountFor(int64_t row, int64_t layer, uint64_t key) const {
  if (!pairs_.empty() && pairs_[row].layer == layer) {
    return other_way_ ? pairs_[row].other : pairs_[row].k;
  }
  return Allocate(Allocation(passes_[layer], row), options_.noise, key);
}

void StackNetwork::Backward(std::span<const float> params, const float* x,
                            const float* dlogits, std::span<float> gradient) {
  const int64_t d = size_;
  const int64_t exits = steps_ + 1;
  dout_.resize(rows_ * exits * d);
  dz_.assign(rows_ * d, 0.0f);
  dwrote_.resize(rows_ * k_ * d);
  dhidden_.resize(rows_ * k_ * config_.hidden_size());
  dread_.resize(rows_ * k_ * d);
  dweight_.resize(rows_ * k_);
  dscore_.resize(rows_ * config_.experts);
  dnormal_.resize(rows_ * d);
  parts_.head.Backward(params, out_.data(), dlogits, rows_, exits, head_,
                       dout_.data(), gradient);
  const auto add_exit = [&](int64_t t) {
    ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        Add(dout_.data() + (b * exits + t) * d, d, dz_.data() + b * d);
      }
    });
  };
  for (int64_t l = steps_ - 1; l >= 0; --l) {
    add_exit(l + 1);
    LayerBackward(params, l, gradient);
  }
  add_exit(0);
  parts_.stem.Backward(params, x, maps_, h_.data(), rows_, dz_.data(),
                       gradient);
}

void StackNetwork::LayerBackward(std::span<const float> params, int64_t layer,
                                 std::span<float> gradient) {
  const int64_t d = size_;
  const int64_t m = config_.hidden_size();
  const ExpertLayer& parts = parts_.layers[layer];
  const LayerPass& pass = passes_[layer];
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    ForChoices(pass, begin, end, [&](int64_t i, int64_t b) {
      const float* dz = dz_.data() + b * d;
      const int64_t at = pass.sorted.position[i];
      dweight_[i] = Dot(dz, pass.wrote.data() + at * d, d);
      Scale(dz, pass.weight[i], d, dwrote_.data() + at * d);
    });
  });
  ParallelFor(config_.experts, [&](int64_t i) {
    const int64_t begin = pass.sorted.expert_begin[i];
    const int64_t rows = pass.sorted.expert_begin[i + 1] - begin;
    if (rows == 0) return;
    parts.experts[i].Backward(
        params, pass.read.data() + begin * d, pass.hidden.data() + begin * m,
        dwrote_.data() + begin * d, rows, dhidden_.data() + begin * m,
        dread_.data() + begin * d, gradient);
  });
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    std::fill(dnormal_.begin() + begin * d, dnormal_.begin() + end * d, 0.0f);
    ForChoices(pass, begin, end, [&](int64_t i, int64_t b) {
      Add(dread_.data() + pass.sorted.position[i] * d, d,
          dnormal_.data() + b * d);
    });
  });
  if (parts_.gate(layer) != nullptr) GateBackward(params, layer, gradient);
  if (!pairs_.empty()) AllocatorBackward(layer, gradient);
  partial_.assign(RowBlocks(rows_) * parts.norm.partial_size(), 0.0f);
  ForRowBlocks(rows_, [&](int64_t block, int64_t begin, int64_t end) {
    std::vector<float> dx(d);
    for (int64_t b = begin; b < end; ++b) {
      parts.norm.Backward(params, dnormal_.data() + b * d, out(b, layer),
                          pass.stats.data() + b * parts.norm.stats_size(),
                          dx.data(),
                          partial_.data() + block * parts.norm.partial_size());
      Add(dx.data(), d, dz_.data() + b * d);
    }
  });
  for (int64_t block = 0; block < RowBlocks(rows_); ++block) {
    parts.norm.Collect(partial_.data() + block * parts.norm.partial_size(),
                       gradient);
  }
}

void StackNetwork::GateBackward(std::span<const float> params, int64_t layer,
                                std::span<float> gradient) {
  const int64_t n = config_.experts;
  const LayerPass& pass = passes_[layer];
  const Gate& gate = *parts_.gate(layer);
  const std::vector<double> shares = Shares(pass);
  const double balance = options_.balance * static_cast<double>(n) /
                         static_cast<double>(config_.layers * rows_);
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> dp(n);
    for (int64_t b = begin; b < end; ++b) {
      const std::span<const float> p(pass.p.data() + b * n, n);
      for (int64_t i = 0; i < n; ++i) {
        dp[i] = static_cast<float>(balance * shares[i]);
      }
      TopkWeightsBackward(p, Chosen(pass, b), pass.weight.data() + b * k_,
                          dweight_.data() + b * k_, dp.data());
      float* dscore = dscore_.data() + b * n;
      std::fill(dscore, dscore + n, 0.0f);
      SoftmaxBackwardAdd(p.data(), dp.data(), n, dscore);
    }
    if (features_.identity()) {
      Gemm(false, false, end - begin, size_, n, dscore_.data() + begin * n, n,
           gate.weight.in(params), size_, 1, dnormal_.data() + begin * size_,
           size_);
      return;
    }
    std::vector<float> dfeatures((end - begin) * features_.size());
    Gemm(false, false, end - begin, features_.size(), n,
         dscore_.data() + begin * n, n, gate.weight.in(params),
         features_.size(), 0, dfeatures.data(), features_.size());
    for (int64_t b = begin; b < end; ++b) {
      features_.Backward(dfeatures.data() + (b - begin) * features_.size(),
                         pass.normal.data() + b * size_,
                         pass.feature_stats.data() + b * 2,
                         dnormal_.data() + b * size_);
    }
  });
  LinearWeightBackward(dscore_.data(), router_input(pass), rows_,
                       features_.size(), n, gate.weight.in(gradient),
                       gate.bias.in(gradient));
}

std::vector<double> StackNetwork::Shares(const LayerPass& pass) const {
  std::vector<double> shares(config_.experts);
  for (int64_t i = 0; i < config_.experts; ++i) {
    shares[i] = static_cast<double>(pass.sorted.expert_begin[i + 1] -
                                    pass.sorted.expert_begin[i]) /
                static_cast<double>(pass.sorted.expert_begin.back());
  }
  return shares;
}

double StackNetwork::balance_loss() const {
  double loss = 0;
  for (int64_t l = 0; l < steps_; ++l) {
    if (parts_.gate(l) == nullptr) continue;
    const std::vector<double> shares = Shares(passes_[l]);
    for (int64_t b = 0; b < rows_; ++b) {
      for (int64_t i = 0; i < config_.experts; ++i) {
        loss += shares[i] * passes_[l].p[b * config_.experts + i];
      }
    }
  }
  return options_.balance * loss * static_cast<double>(config_.experts) /
         static_cast<double>(config_.layers * rows_);
}

}  // namespace mre
