// The head: from an output stream to the logits of the classes.
//
//   mlp    logits = W LayerNorm(z) + b         head.norm.weight [d] .bias [d]
//                                              head.weight [C,d] head.bias [C]
//   conv   logits = W relu(LayerNorm(z)) + b   head.weight [C,H,W,d]
//
// On a map W reads every position: where something is matters.
#ifndef MRE_MODEL_NET_HEAD_H_
#define MRE_MODEL_NET_HEAD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/base/rng.h"
#include "model/net/norm.h"
#include "model/net/params.h"

namespace mre {

struct Head {
  // Of a batch; kept between forward and backward.
  struct Cache {
    std::vector<float> stats;   // [exits, norm.stats_size()]
    std::vector<float> normal;  // [exits, stream] what W reads
    std::vector<float> partial;
    void Resize(const Head& head, int64_t exits);
  };

  Head(const ModelConfig& config, ParamTable& table);

  // W ~ N(0, 1/(3 stream)), on a map N(0, 0.01^2); norm's gain 1, biases 0.
  void Init(std::span<float> params, Rng& rng) const;

  // z: [exits,stream] -> logits: [exits,C], for the exits in [begin, end), on
  // the calling thread; the cache must have been resized.
  void Forward(std::span<const float> params, const float* z, int64_t begin,
               int64_t end, Cache& cache, float* logits) const;
  // Given dlogits, adds the parameters' gradients and writes dz, for `rows`
  // rows of `exits_a_row` exits. In parallel.
  void Backward(std::span<const float> params, const float* z,
                const float* dlogits, int64_t rows, int64_t exits_a_row,
                Cache& cache, float* dz, std::span<float> gradient) const;

  const bool conv;
  const int64_t size;  // floats of a stream
  const int64_t classes;
  Norm norm;
  Slot weight, bias;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_HEAD_H_
