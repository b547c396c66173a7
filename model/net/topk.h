// The gate of a mixture layer: which k experts a row runs, and with what
// weight. Pure functions of one row's logits (Shazeer et al., 2017; Fedus et
// al., 2021).
//
//   p = softmax(logits);  S = the k experts with the largest logits
//   v_i = p_i for k = 1,  p_i / sum_S p for k > 1,  in S
#ifndef MRE_MODEL_NET_TOPK_H_
#define MRE_MODEL_NET_TOPK_H_

#include <cstdint>
#include <span>

namespace mre {

// Writes the k experts with the largest score to `chosen`, ascending; ties go
// to the lower index. REQUIRES: chosen.size() <= score.size().
void ChooseTopk(std::span<const float> score, std::span<int32_t> chosen);

// The weight of each chosen expert.
void TopkWeights(std::span<const float> p, std::span<const int32_t> chosen,
                 float* weights);

// Adds to dp the gradient of a loss whose gradient with respect to the weights
// is dweights.
void TopkWeightsBackward(std::span<const float> p,
                         std::span<const int32_t> chosen, const float* weights,
                         const float* dweights, float* dp);

}  // namespace mre

#endif  // MRE_MODEL_NET_TOPK_H_
