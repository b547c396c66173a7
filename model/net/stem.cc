#include "model/net/stem.h"

#include <cmath>
#include <vector>

#include "model/net/batch_ops.h"
#include "model/net/embedding.h"
#include "model/net/initial.h"

namespace mre {

Stem::Stem(const ModelConfig& config, Precision precision, ParamTable& params)
    : embedding(config.embedding),
      inputs(config.input.size()),
      in(config.linear_stem_inputs()),
      out(config.stream_size()),
      activation(config.stem_activation),
      convs(config, precision, params) {
  if (!convs.empty()) return;
  if (config.text()) {
    table = params.Append("stem.embedding", {kVocabulary, embedding},
                          ParamGroup::kMatrix);
  }
  weight = params.Append("stem.weight", {out, in}, ParamGroup::kMatrix);
  bias = params.Append("stem.bias", {out}, ParamGroup::kVector);
}

void Stem::Init(std::span<float> params, Rng& rng) const {
  convs.Init(params, rng);
  if (!convs.empty()) return;
  if (embedding > 0) FillGaussian(table, 1, params, rng);
  FillGaussian(weight, std::sqrt(1.0 / static_cast<double>(in)), params, rng);
}

void Stem::Forward(std::span<const float> params, const float* x, int64_t rows,
                   ConvStem::Maps& maps, float* h) const {
  convs.Resize(rows, maps);
  ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    const float* from = x + begin * inputs;
    float* to = h + begin * out;
    if (!convs.empty()) {
      convs.Forward(params, from, begin, end, maps, to);
      return;
    }
    std::vector<float> vectors;
    if (embedding > 0) {
      vectors.resize((end - begin) * in);
      Embed(table.in(params), embedding, from, (end - begin) * inputs,
            vectors.data());
      from = vectors.data();
    }
    LinearRows(weight.in(params), bias.in(params), from, end - begin, in, out,
               to);
    if (activation == Activation::kRelu) Relu((end - begin) * out, to);
  });
}

void Stem::Backward(std::span<const float> params, const float* x,
                    const ConvStem::Maps& maps, const float* h, int64_t rows,
                    float* dh, std::span<float> gradient) const {
  if (activation == Activation::kRelu) ReluBackward(h, rows * out, dh);
  if (!convs.empty()) {
    convs.Backward(params, x, maps, dh, rows, gradient);
    return;
  }
  if (embedding == 0) {
    LinearWeightBackward(dh, x, rows, in, out, weight.in(gradient),
                         bias.in(gradient));
    return;
  }
  std::vector<float> vectors(rows * in);
  Embed(table.in(params), embedding, x, rows * inputs, vectors.data());
  LinearWeightBackward(dh, vectors.data(), rows, in, out, weight.in(gradient),
                       bias.in(gradient));
  // From here on the gradient of the vectors.
  ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    Gemm(false, false, end - begin, in, out, dh + begin * out, out,
         weight.in(params), in, 0, vectors.data() + begin * in, in);
  });
  EmbedBackward(x, vectors.data(), rows * inputs, embedding,
                table.in(gradient));
}

}  // namespace mre
