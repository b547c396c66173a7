// Starting values of parameters.
#ifndef MRE_MODEL_NET_INITIAL_H_
#define MRE_MODEL_NET_INITIAL_H_

#include <algorithm>
#include <span>

#include "model/base/rng.h"
#include "model/net/params.h"

namespace mre {

// Draws a slot's values from N(0, deviation^2).
inline void FillGaussian(const Slot& slot, double deviation,
                         std::span<float> params, Rng& rng) {
  for (float* value = slot.in(params); value < slot.in(params) + slot.size;
       ++value) {
    *value = static_cast<float>(rng.Gaussian() * deviation);
  }
}

inline void FillOnes(const Slot& slot, std::span<float> params) {
  std::fill_n(slot.in(params), slot.size, 1.0f);
}

}  // namespace mre

#endif  // MRE_MODEL_NET_INITIAL_H_
