// Analytic gradients against central differences.
#ifndef MRE_TESTS_MODEL_NET_GRADIENT_CHECK_H_
#define MRE_TESTS_MODEL_NET_GRADIENT_CHECK_H_

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <vector>

#include "model/base/rng.h"
#include "model/net/config.h"
#include "model/net/params.h"

namespace mre {

// [rows,inputs] as a network reads them. Of text: a few characters, so that
// each occurs more than once.
inline std::vector<float> GradientInputs(const ModelConfig& config,
                                         int64_t rows, Rng& rng) {
  std::vector<float> x(rows * config.input.size());
  for (float& value : x) {
    value = static_cast<float>(config.text()
                                   ? 97.0 + static_cast<double>(rng.Below(5))
                                   : rng.Gaussian());
  }
  return x;
}

// Of one tensor, as 2-norms.
struct GradientCheck {
  double error = 0;     // from the differences
  double gradient = 0;  // of the analytic gradient itself
};

// `loss()` is that of `params`, which are moved by each epsilon in turn and
// left as they were. A step that straddles a relu's kink is wrong at that width
// only, and the smallest step is the noisiest: the best of the epsilons counts.
template <typename Loss>
GradientCheck CheckGradient(const ParamSpec& spec, std::vector<float>& params,
                            const std::vector<float>& gradient,
                            std::initializer_list<float> epsilons, Loss loss) {
  const auto slope = [&](int64_t i, float epsilon) {
    const float value = params[i];
    params[i] = value + epsilon;
    const double above = loss();
    params[i] = value - epsilon;
    const double below = loss();
    params[i] = value;
    return (above - below) / (2.0 * epsilon);
  };
  GradientCheck check;
  for (int64_t i = spec.offset; i < spec.offset + spec.size; ++i) {
    double best = 1e9;
    for (const float epsilon : epsilons) {
      best = std::min(best, std::abs(slope(i, epsilon) - gradient[i]));
    }
    check.error += best * best;
    check.gradient += static_cast<double>(gradient[i]) * gradient[i];
  }
  return {std::sqrt(check.error), std::sqrt(check.gradient)};
}

}  // namespace mre

#endif  // MRE_TESTS_MODEL_NET_GRADIENT_CHECK_H_
