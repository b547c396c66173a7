#include "model/net/head.h"

#include <algorithm>
#include <cmath>

#include "model/net/batch_ops.h"
#include "model/net/initial.h"

namespace mre {

void Head::Cache::Resize(const Head& head, int64_t exits) {
  stats.resize(exits * 2);
  normal.resize(exits * head.width);
}

Head::Head(const ModelConfig& config, ParamTable& table)
    : width(config.width),
      classes(config.num_classes()),
      norm(config, "head.norm", table),
      weight(
          table.Append("head.weight", {classes, width}, ParamGroup::kMatrix)),
      bias(table.Append("head.bias", {classes}, ParamGroup::kVector)) {}

void Head::Init(std::span<float> params, Rng& rng) const {
  norm.Init(params);
  FillGaussian(weight, std::sqrt(1 / (3 * static_cast<double>(width))), params,
               rng);
}

void Head::Forward(std::span<const float> params, const float* z, int64_t begin,
                   int64_t end, Cache& cache, float* logits) const {
  float* normal = cache.normal.data();
  for (int64_t k = begin; k < end; ++k) {
    norm.Forward(params, z + k * width, normal + k * width,
                 cache.stats.data() + k * 2);
  }
  LinearRows(weight.in(params), bias.in(params), normal + begin * width,
             end - begin, width, classes, logits + begin * classes);
}

void Head::Backward(std::span<const float> params, const float* z,
                    const float* dlogits, int64_t rows, int64_t exits_a_row,
                    Cache& cache, float* dz, std::span<float> gradient) const {
  LinearWeightBackward(dlogits, cache.normal.data(), rows * exits_a_row, width,
                       classes, weight.in(gradient), bias.in(gradient));
  cache.partial.assign(RowBlocks(rows) * norm.partial_size(), 0.0f);
  ForRowBlocks(rows, [&](int64_t block, int64_t first, int64_t last) {
    const int64_t begin = first * exits_a_row;
    const int64_t end = last * exits_a_row;
    std::vector<float> dnormal((end - begin) * width);
    Gemm(false, false, end - begin, width, classes, dlogits + begin * classes,
         classes, weight.in(params), width, 0, dnormal.data(), width);
    for (int64_t k = begin; k < end; ++k) {
      norm.Backward(params, dnormal.data() + (k - begin) * width, z + k * width,
                    cache.stats.data() + k * 2, dz + k * width,
                    cache.partial.data() + block * norm.partial_size());
    }
  });
  for (int64_t block = 0; block < RowBlocks(rows); ++block) {
    norm.Collect(cache.partial.data() + block * norm.partial_size(), gradient);
  }
}

}  // namespace mre
