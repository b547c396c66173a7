#include "model/net/stem.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {

int64_t PatchInputs(const ModelConfig& config) {
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

Stem::Stem(const ModelConfig& config, ParamTable& table)
    : patches(config.expert == ExpertKind::kConv),
      input(config.input),
      patch(config.patch),
      map_height(config.map_height()),
      map_width(config.map_width()),
      in(patches ? PatchInputs(config) : config.input.size()),
      out(config.width),
      activation(config.stem_activation) {
  std::vector<int64_t> shape = {out, in};
  if (patches) shape = {out, patch.size, patch.size, input.channels()};
  weight = table.Append("stem.weight", shape, ParamGroup::kMatrix);
  bias = table.Append("stem.bias", {out}, ParamGroup::kVector);
}

void Stem::Init(std::span<float> params, Rng& rng) const {
  FillGaussian(weight, std::sqrt(1.0 / static_cast<double>(in)), params, rng);
}

void Stem::Forward(std::span<const float> params, const float* x, int64_t rows,
                   float* h) const {
  std::vector<float> gathered;
  const int64_t points = rows * positions();
  if (patches) {
    gathered.resize(points * in);
    GatherPatches(input, patch, map_height, map_width, x, rows,
                  gathered.data());
    x = gathered.data();
  }
  LinearRows(weight.in(params), bias.in(params), x, points, in, out, h);
  if (activation == Activation::kRelu) Relu(points * out, h);
}

void Stem::Backward(const float* x, const float* h, int64_t rows, float* dh,
                    std::span<float> gradient) const {
  const int64_t points = rows * positions();
  if (activation == Activation::kRelu) ReluBackward(h, points * out, dh);
  std::vector<float> gathered;
  if (patches) {
    gathered.resize(points * in);
    ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
      GatherPatches(input, patch, map_height, map_width,
                    x + begin * input.size(), end - begin,
                    gathered.data() + begin * positions() * in);
    });
    x = gathered.data();
  }
  LinearWeightBackward(dh, x, points, in, out, weight.in(gradient),
                       bias.in(gradient));
}

}  // namespace mre
