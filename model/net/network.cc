#include "model/net/network.h"

#include <algorithm>
#include <cmath>

#include "model/net/batch_ops.h"

namespace mre {

float LossOf(const float* logits, int64_t classes, int64_t label, float* p) {
  Softmax(logits, classes, p);
  return -std::log(std::max(p[label], 1e-30f));
}

double ExitLoss(const Exits& exits, int64_t classes, const uint8_t* labels,
                std::span<const float> step_weights, float* dlogits) {
  const int64_t count = exits.steps + 1;
  std::vector<double> losses(exits.rows, 0.0);
  const float scale = 1.0f / static_cast<float>(exits.rows);
  ForRowBlocks(exits.rows, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> p(classes);
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t t = 0; t < count; ++t) {
        const int64_t at = (b * count + t) * classes;
        const float weight = exits.weights.empty()
                                 ? step_weights[t]
                                 : exits.weights[b * count + t];
        Softmax(exits.logits.data() + at, classes, p.data());
        const double likelihood = std::max(p[labels[b]], 1e-30f);
        losses[b] -= weight * std::log(likelihood);
        if (dlogits == nullptr) continue;
        for (int64_t c = 0; c < classes; ++c) {
          dlogits[at + c] = weight * scale * p[c];
        }
        dlogits[at + labels[b]] -= weight * scale;
      }
    }
  });
  double loss = 0;
  for (const double row : losses) loss += row;
  return loss / static_cast<double>(exits.rows);
}

}  // namespace mre
