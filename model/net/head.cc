#include "model/net/head.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {

void Head::Cache::Resize(const Head& head, int64_t exits) {
  stats.resize(exits * head.norm.stats_size());
  normal.resize(exits * head.size);
}

Head::Head(const ModelConfig& config, ParamTable& table)
    : conv(config.expert == ExpertKind::kConv),
      size(config.stream_size()),
      classes(config.num_classes()),
      norm(config, "head.norm", table) {
  std::vector<int64_t> shape = {classes, size};
  if (conv) {
    shape = {classes, config.map_height(), config.map_width(), config.width};
  }
  weight = table.Append("head.weight", std::move(shape), ParamGroup::kMatrix);
  bias = table.Append("head.bias", {classes}, ParamGroup::kVector);
}

void Head::Init(std::span<float> params, Rng& rng) const {
  norm.Init(params);
  const double deviation =
      conv ? 0.01 : std::sqrt(1 / (3 * static_cast<double>(size)));
  FillGaussian(weight, deviation, params, rng);
}

void Head::Forward(std::span<const float> params, const float* z, int64_t begin,
                   int64_t end, Cache& cache, float* logits) const {
  float* normal = cache.normal.data();
  for (int64_t k = begin; k < end; ++k) {
    norm.Forward(params, z + k * size, normal + k * size,
                 cache.stats.data() + k * norm.stats_size());
  }
  if (conv) Relu((end - begin) * size, normal + begin * size);
  LinearRows(weight.in(params), bias.in(params), normal + begin * size,
             end - begin, size, classes, logits + begin * classes);
}

void Head::Backward(std::span<const float> params, const float* z,
                    const float* dlogits, int64_t rows, int64_t exits_a_row,
                    Cache& cache, float* dz, std::span<float> gradient) const {
  LinearWeightBackward(dlogits, cache.normal.data(), rows * exits_a_row, size,
                       classes, weight.in(gradient), bias.in(gradient));
  cache.partial.assign(RowBlocks(rows) * norm.partial_size(), 0.0f);
  ForRowBlocks(rows, [&](int64_t block, int64_t first, int64_t last) {
    const int64_t begin = first * exits_a_row;
    const int64_t end = last * exits_a_row;
    std::vector<float> dnormal((end - begin) * size);
    Gemm(false, false, end - begin, size, classes, dlogits + begin * classes,
         classes, weight.in(params), size, 0, dnormal.data(), size);
    if (conv) {
      ReluBackward(cache.normal.data() + begin * size, (end - begin) * size,
                   dnormal.data());
    }
    for (int64_t k = begin; k < end; ++k) {
      norm.Backward(params, dnormal.data() + (k - begin) * size, z + k * size,
                    cache.stats.data() + k * norm.stats_size(), dz + k * size,
                    cache.partial.data() + block * norm.partial_size());
    }
  });
  for (int64_t block = 0; block < RowBlocks(rows); ++block) {
    norm.Collect(cache.partial.data() + block * norm.partial_size(), gradient);
  }
}

}  // namespace mre
