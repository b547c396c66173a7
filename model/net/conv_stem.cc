#include "model/net/conv_stem.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {

std::vector<ConvShape> StemConvs(const ModelConfig& config) {
  std::vector<ConvShape> convs;
  if (config.expert != ExpertKind::kConv) return convs;
  MapShape from = config.input.map();
  for (const FrontLayer& layer : config.front) {
    convs.push_back({from, layer.patch, layer.channels});
    from = convs.back().to();
  }
  convs.push_back({from, config.patch, config.width});
  return convs;
}

ConvStem::ConvStem(const ModelConfig& config, Precision precision,
                   ParamTable& table) {
  for (ConvShape& shape : StemConvs(config)) {
    shape.precision = precision;
    const size_t i = layers.size();
    const bool last = i == config.front.size();
    const std::string name = last ? "stem" : absl::StrCat("stem.layers.", i);
    const int64_t size = shape.patch.size;
    layers.push_back({shape, last ? config.stem_activation : Activation::kRelu,
                      table.Append(absl::StrCat(name, ".weight"),
                                   {shape.out, size, size, shape.from.channels},
                                   ParamGroup::kMatrix),
                      table.Append(absl::StrCat(name, ".bias"), {shape.out},
                                   ParamGroup::kVector)});
  }
}

void ConvStem::Resize(int64_t rows, Maps& maps) const {
  if (empty()) return;
  maps.resize(layers.size() - 1);
  for (size_t i = 0; i < maps.size(); ++i) {
    maps[i].resize(rows * layers[i].shape.to().size());
  }
}

void ConvStem::Init(std::span<float> params, Rng& rng) const {
  for (const Layer& layer : layers) {
    const double variance = &layer == &layers.back() ? 1 : 2;
    FillGaussian(
        layer.weight,
        std::sqrt(variance / static_cast<double>(layer.shape.inputs())), params,
        rng);
  }
}

void ConvStem::Forward(std::span<const float> params, const float* x,
                       int64_t begin, int64_t end, Maps& maps, float* h) const {
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const int64_t size = layer.shape.to().size();
    float* y = i < maps.size() ? maps[i].data() + begin * size : h;
    ConvForward(layer.shape, layer.weight.in(params), layer.bias.in(params), x,
                end - begin, y);
    if (layer.activation == Activation::kRelu) Relu((end - begin) * size, y);
    x = y;
  }
}

void ConvStem::Backward(std::span<const float> params, const float* x,
                        const Maps& maps, const float* dh, int64_t rows,
                        std::span<float> gradient) const {
  // Each block of rows has sums of its own, added in their order.
  const int64_t first = layers.front().weight.offset;
  const int64_t size =
      layers.back().bias.offset + layers.back().bias.size - first;
  std::vector<float> partial(RowBlocks(rows) * size);
  ForRowBlocks(rows, [&](int64_t block, int64_t begin, int64_t end) {
    const auto part = [&](const Slot& slot) {
      return partial.data() + block * size + slot.offset - first;
    };
    const int64_t count = end - begin;
    std::vector<float> dy, dx;
    const float* gradient_of_y = dh + begin * layers.back().shape.to().size();
    for (size_t i = layers.size(); i-- > 0;) {
      const Layer& layer = layers[i];
      const int64_t read = layer.shape.from.size();
      const float* from = i > 0 ? maps[i - 1].data() : x;
      ConvBackwardWeights(layer.shape, from + begin * read, gradient_of_y,
                          count, part(layer.weight), part(layer.bias));
      if (i == 0) break;
      dx.resize(count * read);
      ConvBackwardData(layer.shape, layer.weight.in(params), gradient_of_y,
                       count, dx.data());
      ReluBackward(from + begin * read, count * read, dx.data());
      dy.swap(dx);
      gradient_of_y = dy.data();
    }
  });
  for (int64_t block = 0; block < RowBlocks(rows); ++block) {
    Add(partial.data() + block * size, size, gradient.data() + first);
  }
}

}  // namespace mre
