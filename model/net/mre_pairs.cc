#include "model/net/mre_pairs.h"

#include <algorithm>

#include "model/net/batch_ops.h"
#include "model/net/mre.h"

namespace mre {

void MreNetwork::CreditRivals(std::span<const float> params) {
  const int64_t d = config_.stream_size();
  const int64_t classes = config_.num_classes();
  const int64_t steps = u_.steps;
  Rivals& rivals = u_.rivals;
  if (!options_.credits.empty()) {
    rivals.credit.assign(options_.credits.begin(), options_.credits.end());
    return;
  }
  rivals.credit.resize(u_.rows * steps);
  ForRowBlocks(u_.rows, [&](int64_t, int64_t begin, int64_t end) {
    const int64_t pairs = (end - begin) * steps;
    std::vector<float> z(pairs * d);
    std::vector<float> logits(pairs * classes);
    std::vector<float> p(classes);
    Head::Cache cache;
    cache.Resize(parts_.head, pairs);
    for (int64_t i = 0; i < pairs; ++i) {
      const int64_t b = begin + i / steps;
      const int64_t at = rivals.sorted.position[begin * steps + i];
      std::copy_n(u_.out.data() + (b * (steps + 1) + i % steps) * d, d,
                  z.data() + i * d);
      if (at >= 0) Add(rivals.wrote.data() + at * d, d, z.data() + i * d);
    }
    parts_.head.Forward(params, z.data(), 0, pairs, cache, logits.data());
    const auto loss = [&](const float* from, uint8_t label) {
      return LossOf(from, classes, label, p.data());
    };
    for (int64_t i = 0; i < pairs; ++i) {
      const int64_t b = begin + i / steps;
      const int64_t t = i % steps;
      const uint8_t label = options_.labels[b];
      const float chosen =
          loss(u_.logits.data() + (b * (steps + 1) + t + 1) * classes, label);
      rivals.credit[b * steps + t] =
          rivals.expert[b * steps + t] < 0
              ? 0
              : options_.step_weights[t + 1] *
                    (chosen - loss(logits.data() + i * classes, label));
    }
  });
}

}  // namespace mre
