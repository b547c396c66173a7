// What a router reads of a stream.
//
//   mlp    the stream itself, [d]
//   conv   LayerNorm (no gain, no bias) of the mean of each channel over the
//          map and over each of 3x3 overlapping windows of it, [10 d]
//
// Windows are those of an adaptive pooling: i of 3 covers floor(i H/3) to
// ceil((i+1) H/3).
#ifndef MRE_MODEL_NET_FEATURES_H_
#define MRE_MODEL_NET_FEATURES_H_

#include <cstdint>

#include "model/net/config.h"

namespace mre {

struct Features {
  explicit Features(const ModelConfig& config);

  // Nothing is computed: the stream is what is read.
  bool identity() const { return !conv; }
  int64_t size() const { return conv ? 10 * width : width; }

  // One stream -> f [size()]; stats: [2]. REQUIRES: !identity().
  void Forward(const float* stream, float* f, float* stats) const;
  // Adds to dstream, given df and what Forward left. `stream` is Forward's.
  void Backward(const float* df, const float* stream, const float* stats,
                float* dstream) const;

  const bool conv;
  const int64_t height, map_width, width;

 private:
  // Calls body(window, position, weight) for each position of each window.
  template <typename Body>
  void ForEach(Body body) const;
  void Pool(const float* stream, float* pooled) const;
};

}  // namespace mre

#endif  // MRE_MODEL_NET_FEATURES_H_
