#include "model/net/stem.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/net/batch_ops.h"
#include "model/net/embedding.h"
#include "model/net/initial.h"

namespace mre {

int64_t StemInputs(const ModelConfig& config) {
  if (config.text()) return config.input.size() * config.embedding;
  if (config.expert == ExpertKind::kMlp) return config.input.size();
  return PatchElements(config.patched_map(), config.patch);
}

Stem::Stem(const ModelConfig& config, ParamTable& params)
    : patches(config.expert == ExpertKind::kConv),
      embedding(config.embedding),
      inputs(config.input.size()),
      map(config.patched_map()),
      patch(config.patch),
      positions(config.positions()),
      in(StemInputs(config)),
      out(config.width),
      activation(config.stem_activation),
      front(config, params) {
  if (config.text()) {
    table = params.Append("stem.embedding", {kVocabulary, embedding},
                          ParamGroup::kMatrix);
  }
  std::vector<int64_t> shape = {out, in};
  if (patches) shape = {out, patch.size, patch.size, map.channels};
  weight = params.Append("stem.weight", shape, ParamGroup::kMatrix);
  bias = params.Append("stem.bias", {out}, ParamGroup::kVector);
}

void Stem::Init(std::span<float> params, Rng& rng) const {
  front.Init(params, rng);
  if (embedding > 0) FillGaussian(table, 1, params, rng);
  FillGaussian(weight, std::sqrt(1.0 / static_cast<double>(in)), params, rng);
}

const float* Stem::Read(std::span<const float> params, const float* x,
                        int64_t rows, std::vector<float>& gathered) const {
  if (!patches && embedding == 0) return x;
  gathered.resize(rows * positions * in);
  ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    const int64_t count = end - begin;
    const float* from = x + begin * inputs;
    float* to = gathered.data() + begin * positions * in;
    if (embedding > 0) {
      Embed(table.in(params), embedding, from, count * inputs, to);
      return;
    }
    std::vector<float> made(count * front.out());
    if (!front.empty()) {
      front.Forward(params, from, count, made.data());
      from = made.data();
    }
    GatherPatches(map, patch, from, count, to);
  });
  return gathered.data();
}

void Stem::Forward(std::span<const float> params, const float* x, int64_t rows,
                   float* h) const {
  std::vector<float> gathered;
  const int64_t points = rows * positions;
  LinearRows(weight.in(params), bias.in(params),
             Read(params, x, rows, gathered), points, in, out, h);
  if (activation == Activation::kRelu) Relu(points * out, h);
}

void Stem::Backward(std::span<const float> params, const float* x,
                    const float* h, int64_t rows, float* dh,
                    std::span<float> gradient) const {
  const int64_t points = rows * positions;
  if (activation == Activation::kRelu) ReluBackward(h, points * out, dh);
  std::vector<float> gathered;
  LinearWeightBackward(dh, Read(params, x, rows, gathered), points, in, out,
                       weight.in(gradient), bias.in(gradient));
  if (embedding == 0 && front.empty()) return;
  // From here on `gathered` holds the gradient of what it held.
  std::vector<float> dmap(rows * front.out());
  ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    float* dread = gathered.data() + begin * positions * in;
    Gemm(false, false, (end - begin) * positions, in, out,
         dh + begin * positions * out, out, weight.in(params), in, 0, dread,
         in);
    if (front.empty()) return;
    ScatterPatches(map, patch, dread, end - begin,
                   dmap.data() + begin * front.out());
  });
  if (!front.empty()) {
    front.Backward(params, x, rows, dmap.data(), gradient);
    return;
  }
  EmbedBackward(x, gathered.data(), rows * inputs, embedding,
                table.in(gradient));
}

}  // namespace mre
