#include "model/net/front.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {
namespace {

// Rows whose patches are in memory at once: few, so that they stay in a cache.
constexpr int64_t kRows = 4;

// y = relu(W patches(x) + b); `gathered` receives the patches.
void LayerForward(const Front::Layer& layer, std::span<const float> params,
                  const float* x, int64_t rows, std::vector<float>& gathered,
                  float* y) {
  const int64_t points = rows * layer.map.to.positions();
  gathered.resize(points * layer.map.in());
  GatherPatches(layer.map.from, layer.map.patch, x, rows, gathered.data());
  LinearRows(layer.weight.in(params), layer.bias.in(params), gathered.data(),
             points, layer.map.in(), layer.map.to.channels, y);
  Relu(points * layer.map.to.channels, y);
}

}  // namespace

// What a few rows leave between x and y.
struct Front::Pass {
  std::vector<std::vector<float>> patches;  // that a layer reads
  std::vector<std::vector<float>> y;        // that it writes
  std::vector<float> dy, dx, dpatches;
};

std::vector<FrontMap> FrontMaps(const ModelConfig& config) {
  std::vector<FrontMap> maps;
  MapShape from = config.input.map();
  for (const FrontLayer& layer : config.front) {
    maps.push_back(
        {from, MapOfPatches(from, layer.patch, layer.channels), layer.patch});
    from = maps.back().to;
  }
  return maps;
}

Front::Front(const ModelConfig& config, ParamTable& table) {
  for (const FrontMap& map : FrontMaps(config)) {
    const std::string name = absl::StrCat("stem.layers.", layers.size());
    const int64_t channels = map.to.channels;
    const int64_t size = map.patch.size;
    layers.push_back({map,
                      table.Append(absl::StrCat(name, ".weight"),
                                   {channels, size, size, map.from.channels},
                                   ParamGroup::kMatrix),
                      table.Append(absl::StrCat(name, ".bias"), {channels},
                                   ParamGroup::kVector)});
  }
}

void Front::Init(std::span<float> params, Rng& rng) const {
  for (const Layer& layer : layers) {
    FillGaussian(layer.weight,
                 std::sqrt(2.0 / static_cast<double>(layer.map.in())), params,
                 rng);
  }
}

void Front::Forward(std::span<const float> params, const float* x, int64_t rows,
                    float* y) const {
  std::vector<float> gathered, from, to;
  const int64_t inputs = layers[0].map.from.size();
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t count = std::min(kRows, rows - begin);
    const float* read = x + begin * inputs;
    for (size_t i = 0; i < layers.size(); ++i) {
      const bool last = i + 1 == layers.size();
      to.resize(count * layers[i].map.to.size());
      float* write = last ? y + begin * out() : to.data();
      LayerForward(layers[i], params, read, count, gathered, write);
      from.swap(to);
      read = from.data();
    }
  }
}

void Front::Backward(std::span<const float> params, const float* x,
                     int64_t rows, const float* dy,
                     std::span<float> gradient) const {
  const int64_t inputs = layers[0].map.from.size();
  // Each block of rows has sums of its own, added in their order.
  const Slot& last = layers.back().bias;
  const int64_t begin = layers[0].weight.offset;
  const int64_t size = last.offset + last.size - begin;
  std::vector<float> partial(RowBlocks(rows) * size);
  ForRowBlocks(rows, [&](int64_t block, int64_t first, int64_t end) {
    Pass pass;
    pass.patches.resize(layers.size());
    pass.y.resize(layers.size());
    for (; first < end; first += kRows) {
      BackwardRows(params, x + first * inputs, std::min(kRows, end - first),
                   dy + first * out(), pass,
                   {partial.data() + block * size, static_cast<size_t>(size)});
    }
  });
  for (int64_t block = 0; block < RowBlocks(rows); ++block) {
    Add(partial.data() + block * size, size, gradient.data() + begin);
  }
}

// gradient: that of this part's parameters alone.
void Front::BackwardRows(std::span<const float> params, const float* x,
                         int64_t rows, const float* dy, Pass& pass,
                         std::span<float> gradient) const {
  const int64_t begin = layers[0].weight.offset;
  for (size_t i = 0; i < layers.size(); ++i) {
    pass.y[i].resize(rows * layers[i].map.to.size());
    LayerForward(layers[i], params, i == 0 ? x : pass.y[i - 1].data(), rows,
                 pass.patches[i], pass.y[i].data());
  }
  pass.dy.assign(dy, dy + rows * out());
  for (size_t i = layers.size(); i-- > 0;) {
    const Layer& layer = layers[i];
    const int64_t points = rows * layer.map.to.positions();
    const int64_t channels = layer.map.to.channels;
    ReluBackward(pass.y[i].data(), points * channels, pass.dy.data());
    Gemm(true, false, channels, layer.map.in(), points, pass.dy.data(),
         channels, pass.patches[i].data(), layer.map.in(), 1,
         gradient.data() + layer.weight.offset - begin, layer.map.in());
    BiasBackward(pass.dy.data(), points, channels,
                 gradient.data() + layer.bias.offset - begin);
    if (i == 0) break;
    pass.dpatches.resize(points * layer.map.in());
    Gemm(false, false, points, layer.map.in(), channels, pass.dy.data(),
         channels, layer.weight.in(params), layer.map.in(), 0,
         pass.dpatches.data(), layer.map.in());
    pass.dx.resize(rows * layer.map.from.size());
    ScatterPatches(layer.map.from, layer.map.patch, pass.dpatches.data(), rows,
                   pass.dx.data());
    pass.dy.swap(pass.dx);
  }
}

}  // namespace mre
