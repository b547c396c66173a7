#include "model/net/routing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/base/rng.h"
#include "model/math/elementwise.h"

namespace mre {

void RoutingProbabilities(const RoutingShape& shape, const float* logits,
                          const float* transitions, float* probabilities) {
  const int64_t n = shape.experts;
  Softmax(logits, n, probabilities);
  float* out = probabilities + n;
  const float* transition = transitions;
  for (int64_t l = 1; l < shape.layers; ++l) {
    const float* gate = logits + l * n;
    for (int64_t j = 0; j < n; ++j, out += n, transition += n) {
      for (int64_t i = 0; i < n; ++i) out[i] = gate[i] + transition[i];
      Softmax(out, n, out);
    }
  }
}

float TraceRays(const RoutingShape& shape, const float* probabilities,
                const uint8_t* active, float* rates) {
  const int64_t n = shape.experts;
  std::fill(rates, rates + shape.total(), -1.0f);
  // rates doubles as the flow of the layer at hand: an active expert's entry
  // is its flow until its mass has moved on, then -1.
  std::copy(probabilities, probabilities + n, rates);
  for (int64_t l = 0;; ++l) {
    float* flow = rates + l * n;
    const uint8_t* is_active = active + l * n;
    const bool last = l + 1 == shape.layers;
    const bool any = std::find(is_active, is_active + n, 1) < is_active + n;
    float coverage = 0;
    if (last) {
      for (int64_t j = 0; j < n; ++j) coverage += is_active[j] ? flow[j] : 0.0f;
    } else if (any) {
      SumScaledRows(probabilities + shape.transition(l + 1), flow, is_active, n,
                    n, flow + n);
    }
    for (int64_t j = 0; j < n; ++j) flow[j] = is_active[j] ? -1.0f : flow[j];
    if (last || !any) return coverage;
  }
}

int64_t LargestRate(std::span<const float> rates) {
  const int64_t first =
      FirstLargest(rates.data(), static_cast<int64_t>(rates.size()));
  if (first >= 0 && rates[first] >= 0) return first;
  // There is none, or no candidate's rate is a number.
  int64_t best = -1;
  for (size_t i = 0; i < rates.size(); ++i) {
    if (rates[i] < 0) continue;
    if (best < 0 || rates[i] > rates[best]) best = static_cast<int64_t>(i);
  }
  return best;
}

int64_t DrawByRate(std::span<const float> rates, uint64_t key) {
  int64_t best = -1;
  double best_score = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < rates.size(); ++i) {
    if (rates[i] < 0) continue;
    // A rate that underflowed to 0 can still be drawn when all others did too.
    const double rate =
        std::max(rates[i], std::numeric_limits<float>::denorm_min());
    const double score = std::log(rate) + ToGumbel(Mix64(key + i));
    if (score > best_score) {
      best = static_cast<int64_t>(i);
      best_score = score;
    }
  }
  return best;
}

uint64_t DrawKey(uint64_t seed, uint64_t row, uint64_t step) {
  return Mix64(Mix64(Mix64(seed) + row) + step);
}

}  // namespace mre
