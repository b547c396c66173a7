// The stem: from a row's input to the features h that every stream starts
// from.
//
//   linear   h = activation(W x + b)       stem.weight [d,in], stem.bias [d]
//   conv     h = activation(W * x_last + b), conv_stem.h
//   text     h = activation(W e(x) + b)    stem.weight [d,in E],
//                                          stem.embedding [256,E]
//
// e(x) are the vectors of a window's bytes (embedding.h), one after the other.
#ifndef MRE_MODEL_NET_STEM_H_
#define MRE_MODEL_NET_STEM_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/base/rng.h"
#include "model/net/conv_stem.h"
#include "model/net/params.h"

namespace mre {

struct Stem {
  // `precision` is that of convolutions.
  Stem(const ModelConfig& config, Precision precision, ParamTable& params);

  // W ~ N(0, 1/its inputs), b = 0; the vectors of bytes ~ N(0, 1).
  void Init(std::span<float> params, Rng& rng) const;

  // x: [rows,in], already scaled; h: [rows,stream], written. `maps` is kept for
  // the backward pass. In parallel.
  void Forward(std::span<const float> params, const float* x, int64_t rows,
               ConvStem::Maps& maps, float* h) const;
  // Adds the parameters' gradients, given dh, which is masked by the
  // activation on the way. In parallel.
  void Backward(std::span<const float> params, const float* x,
                const ConvStem::Maps& maps, const float* h, int64_t rows,
                float* dh, std::span<float> gradient) const;

  const int64_t embedding;  // E, 0 where the input is no text
  const int64_t inputs;     // of a row
  const int64_t in;         // what W reads of a row, without convolutions
  const int64_t out;        // floats of h
  const Activation activation;
  const ConvStem convs;  // empty: linear or text
  Slot table;            // of bytes; only of a text
  Slot weight, bias;     // not of convolutions
};

}  // namespace mre

#endif  // MRE_MODEL_NET_STEM_H_
