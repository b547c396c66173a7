#include "model/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/math/elementwise.h"
#include "model/math/parallel.h"
#include "model/math/simd.h"

namespace mre {
namespace {

constexpr int64_t kBlock = 1 << 14;

// Calls body(begin, end) for blocks of [0, n), in parallel.
void ForBlocks(int64_t n, const std::function<void(int64_t, int64_t)>& body) {
  ParallelFor((n + kBlock - 1) / kBlock, [&](int64_t block) {
    body(block * kBlock, std::min((block + 1) * kBlock, n));
  });
}

// What differs from parameter to parameter in one step.
struct Rates {
  float step = 0;  // rate over the first moment's bias correction
  float keep = 1;  // 1 - rate * weight decay
};

// What does not.
struct Moments {
  float beta1, beta2;
  float root2;  // 1 / sqrt of the second moment's bias correction
  float epsilon;
};

// Moves the moments by g; writes the step that they ask for to `delta`.
MRE_SIMD
void Direction(const Moments& m, float rate, int64_t size,
               const float* __restrict g, float* __restrict first,
               float* __restrict second, float* __restrict delta) {
  for (int64_t i = 0; i < size; ++i) {
    first[i] = m.beta1 * first[i] + (1 - m.beta1) * g[i];
    second[i] = m.beta2 * second[i] + (1 - m.beta2) * g[i] * g[i];
    const float scale = std::sqrt(second[i]) * m.root2 + m.epsilon;
    delta[i] = rate * first[i] / scale;
  }
}

MRE_SIMD
void Move(float keep, int64_t size, const float* __restrict delta,
          float* __restrict w) {
  for (int64_t i = 0; i < size; ++i) w[i] = keep * w[i] - delta[i];
}

// The part that a family has in common.
void UpdateShared(const Moments& moments, float rate,
                  const std::vector<Slot>& family,
                  std::span<const float> gradient, float* first, float* second,
                  std::span<float> params) {
  const int64_t size = family[0].size;
  std::vector<float> sum(size);
  for (const Slot& slot : family) Add(slot.in(gradient), size, sum.data());
  std::vector<float> delta(size);
  Direction(moments, rate, size, sum.data(), first, second, delta.data());
  for (const Slot& slot : family) {
    Move(1, size, delta.data(), slot.in(params));
  }
}

}  // namespace

int64_t SharedSize(const ParamTable& table) {
  int64_t size = 0;
  for (const std::vector<Slot>& family : table.families) {
    size += family[0].size;
  }
  return size;
}

void AdamWStep(const AdamWOptions& options, const ParamTable& table,
               double rate, std::span<const float> gradient, AdamWState& state,
               std::span<float> params) {
  state.first.resize(table.total, 0.0f);
  state.second.resize(table.total, 0.0f);
  ++state.steps;
  const double t = static_cast<double>(state.steps);
  const double correct1 = 1 - std::pow(options.beta1, t);
  const Moments moments{
      static_cast<float>(options.beta1), static_cast<float>(options.beta2),
      static_cast<float>(1 / std::sqrt(1 - std::pow(options.beta2, t))),
      static_cast<float>(options.epsilon)};
  const auto rates_of = [&](ParamGroup group) {
    const double own =
        group == ParamGroup::kRouter ? rate * options.router_rate : rate;
    const double decay =
        group == ParamGroup::kMatrix ? own * options.weight_decay : 0;
    return Rates{static_cast<float>(own / correct1),
                 static_cast<float>(1 - decay)};
  };
  ParallelFor(static_cast<int64_t>(table.specs.size()), [&](int64_t spec) {
    const ParamSpec& p = table.specs[spec];
    const Rates rates = rates_of(p.group);
    const float* g = gradient.data() + p.offset;
    float* first = state.first.data() + p.offset;
    float* second = state.second.data() + p.offset;
    float* w = params.data() + p.offset;
    std::vector<float> delta(p.size);
    Direction(moments, rates.step, p.size, g, first, second, delta.data());
    Move(rates.keep, p.size, delta.data(), w);
  });
  if (options.shared_rate <= 0) return;
  state.shared_first.resize(SharedSize(table), 0.0f);
  state.shared_second.resize(SharedSize(table), 0.0f);
  std::vector<int64_t> offsets;
  int64_t offset = 0;
  for (const std::vector<Slot>& family : table.families) {
    offsets.push_back(offset);
    offset += family[0].size;
  }
  const float shared_rate = static_cast<float>(
      rates_of(ParamGroup::kMatrix).step * options.shared_rate);
  ParallelFor(static_cast<int64_t>(table.families.size()), [&](int64_t i) {
    UpdateShared(moments, shared_rate, table.families[i], gradient,
                 state.shared_first.data() + offsets[i],
                 state.shared_second.data() + offsets[i], params);
  });
}

double ClipByNorm(double limit, std::span<float> gradient) {
  const int64_t n = static_cast<int64_t>(gradient.size());
  std::vector<double> sums((n + kBlock - 1) / kBlock);
  ForBlocks(n, [&](int64_t begin, int64_t end) {
    double lanes[8] = {};
    for (int64_t i = begin; i < end; ++i) {
      lanes[i % 8] += static_cast<double>(gradient[i]) * gradient[i];
    }
    for (const double lane : lanes) sums[begin / kBlock] += lane;
  });
  double square = 0;
  for (const double sum : sums) square += sum;
  const double norm = std::sqrt(square);
  if (limit > 0 && norm > limit) {
    const float scale = static_cast<float>(limit / norm);
    ForBlocks(n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) gradient[i] *= scale;
    });
  }
  return norm;
}

void UpdateAverage(double decay, int64_t steps, std::span<const float> params,
                   std::span<float> average) {
  const double t = static_cast<double>(steps);
  const float share =
      static_cast<float>(1 - std::min(decay, (1 + t) / (10 + t)));
  ForBlocks(static_cast<int64_t>(params.size()),
            [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                average[i] += share * (params[i] - average[i]);
              }
            });
}

}  // namespace mre
