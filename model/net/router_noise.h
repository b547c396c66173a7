// Noise on a router's logits, for one question: how much worse does a model get
// when its router is not sure?
#ifndef MRE_MODEL_NET_ROUTER_NOISE_H_
#define MRE_MODEL_NET_ROUTER_NOISE_H_

#include <cmath>
#include <cstdint>
#include <span>

#include "model/base/rng.h"
#include "model/net/config.h"

namespace mre {

// Whether there is a router to disturb.
inline bool FeelsRouterNoise(Kind kind) {
  return kind != Kind::kMlp && kind != Kind::kCnn && kind != Kind::kRaytracing;
}

// Adds a Gaussian variable to each of one row's logits in one layer: in a
// stack the router's, in an mre the gate's (before the transition is added).
// Its standard deviation is `scale` times that of these logits, so that rows
// are disturbed alike, however sure they are; and models of a kind, but not an
// mre and a stack: transitions are neither disturbed nor counted in the
// deviation. A pure function of `key`.
inline void AddRouterNoise(float scale, uint64_t key, std::span<float> logits) {
  const double n = static_cast<double>(logits.size());
  double mean = 0;
  for (const float x : logits) mean += x / n;
  double variance = 0;
  for (const float x : logits) variance += (x - mean) * (x - mean) / n;
  const double deviation = scale * std::sqrt(variance);
  Rng rng(key);
  for (float& x : logits) {
    x += static_cast<float>(deviation * rng.Gaussian());
  }
}

}  // namespace mre

#endif  // MRE_MODEL_NET_ROUTER_NOISE_H_
