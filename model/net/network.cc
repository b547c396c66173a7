#include "model/net/network.h"

#include <algorithm>
#include <cmath>

#include "model/net/batch_ops.h"

namespace mre {
namespace {

// A probability, but never so small that its logarithm is infinite.
float Likelihood(float p) { return std::max(p, 1e-30f); }

double LogLikelihood(float p) { return std::log(double{Likelihood(p)}); }

}  // namespace

float LossOf(const float* logits, int64_t classes, int64_t label, float* p) {
  Softmax(logits, classes, p);
  return -std::log(Likelihood(p[label]));
}

double ExitLoss(const Exits& exits, int64_t classes, const uint8_t* labels,
                std::span<const float> step_weights, float* dlogits,
                float distillation) {
  const int64_t count = exits.steps + 1;
  std::vector<double> losses(exits.rows, 0.0);
  const float scale = 1.0f / static_cast<float>(exits.rows);
  ForRowBlocks(exits.rows, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> p(classes);
    std::vector<float> last(classes);
    for (int64_t b = begin; b < end; ++b) {
      const float* logits = exits.logits.data() + b * count * classes;
      Softmax(logits + exits.steps * classes, classes, last.data());
      for (int64_t t = 0; t < count; ++t, logits += classes) {
        const float weight = exits.weights.empty()
                                 ? step_weights[t]
                                 : exits.weights[b * count + t];
        const float taught = t < exits.steps ? distillation : 0;
        Softmax(logits, classes, p.data());
        losses[b] -= weight * (1 - taught) * LogLikelihood(p[labels[b]]);
        for (int64_t c = 0; taught > 0 && c < classes; ++c) {
          losses[b] -= weight * taught * last[c] * LogLikelihood(p[c]);
        }
        if (dlogits == nullptr) continue;
        float* dexit = dlogits + (b * count + t) * classes;
        for (int64_t c = 0; c < classes; ++c) {
          dexit[c] = weight * scale * (p[c] - taught * last[c]);
        }
        dexit[labels[b]] -= weight * scale * (1 - taught);
      }
    }
  });
  double loss = 0;
  for (const double row : losses) loss += row;
  return loss / static_cast<double>(exits.rows);
}

}  // namespace mre
