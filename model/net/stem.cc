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
  return config.patch.size * config.patch.size * config.input.channels();
}

void GatherPatches(const InputConfig& input, const PatchConfig& patch,
                   int64_t map_height, int64_t map_width, const float* x,
                   int64_t rows, float* patches) {
  const int64_t height = input.shape[0];
  const int64_t width = input.shape[1];
  const int64_t channels = input.shape[2];
  for (int64_t r = 0; r < rows; ++r, x += input.size()) {
    for (int64_t p = 0; p < map_height * map_width; ++p) {
      const int64_t top = p / map_width * patch.stride - patch.padding;
      const int64_t left = p % map_width * patch.stride - patch.padding;
      for (int64_t i = top; i < top + patch.size; ++i) {
        for (int64_t j = left; j < left + patch.size; ++j) {
          const bool inside = i >= 0 && i < height && j >= 0 && j < width;
          if (inside) {
            std::copy_n(x + (i * width + j) * channels, channels, patches);
          } else {
            std::fill_n(patches, channels, 0.0f);
          }
          patches += channels;
        }
      }
    }
  }
}

Stem::Stem(const ModelConfig& config, ParamTable& params)
    : patches(config.expert == ExpertKind::kConv),
      embedding(config.embedding),
      input(config.input),
      patch(config.patch),
      map_height(config.map_height()),
      map_width(config.map_width()),
      in(StemInputs(config)),
      out(config.width),
      activation(config.stem_activation) {
  if (config.text()) {
    table = params.Append("stem.embedding", {kVocabulary, embedding},
                          ParamGroup::kMatrix);
  }
  std::vector<int64_t> shape = {out, in};
  if (patches) shape = {out, patch.size, patch.size, input.channels()};
  weight = params.Append("stem.weight", shape, ParamGroup::kMatrix);
  bias = params.Append("stem.bias", {out}, ParamGroup::kVector);
}

void Stem::Init(std::span<float> params, Rng& rng) const {
  if (embedding > 0) FillGaussian(table, 1, params, rng);
  FillGaussian(weight, std::sqrt(1.0 / static_cast<double>(in)), params, rng);
}

void Stem::Gather(std::span<const float> params, const float* x, int64_t rows,
                  float* gathered) const {
  if (patches) {
    GatherPatches(input, patch, map_height, map_width, x, rows, gathered);
  } else {
    Embed(table.in(params), embedding, x, rows * input.size(), gathered);
  }
}

void Stem::Forward(std::span<const float> params, const float* x, int64_t rows,
                   float* h) const {
  std::vector<float> gathered;
  const int64_t points = rows * positions();
  if (!direct()) {
    gathered.resize(points * in);
    Gather(params, x, rows, gathered.data());
    x = gathered.data();
  }
  LinearRows(weight.in(params), bias.in(params), x, points, in, out, h);
  if (activation == Activation::kRelu) Relu(points * out, h);
}

void Stem::Backward(std::span<const float> params, const float* x,
                    const float* h, int64_t rows, float* dh,
                    std::span<float> gradient) const {
  const int64_t points = rows * positions();
  if (activation == Activation::kRelu) ReluBackward(h, points * out, dh);
  std::vector<float> gathered;
  const float* read = x;
  if (!direct()) {
    gathered.resize(points * in);
    ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
      Gather(params, x + begin * input.size(), end - begin,
             gathered.data() + begin * positions() * in);
    });
    read = gathered.data();
  }
  LinearWeightBackward(dh, read, points, in, out, weight.in(gradient),
                       bias.in(gradient));
  if (embedding == 0) return;
  // From here on `gathered` holds the gradient of what it held.
  ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    Gemm(false, false, end - begin, in, out, dh + begin * out, out,
         weight.in(params), in, 0, gathered.data() + begin * in, in);
  });
  EmbedBackward(x, gathered.data(), rows * input.size(), embedding,
                table.in(gradient));
}

}  // namespace mre
