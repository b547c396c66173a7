#include "model/engine/packed_parts.h"

#include <algorithm>

#include "model/base/status_macros.h"
#include "model/math/conv.h"
#include "model/math/elementwise.h"
#include "model/net/embedding.h"

namespace mre {
namespace {

void Grow(std::vector<float>& buffer, int64_t floats) {
  if (static_cast<int64_t>(buffer.size()) < floats) buffer.resize(floats);
}

}  // namespace

absl::Status PackedParts::Pack(Precision precision, const Stem& stem,
                               const std::vector<ExpertLayer>& layers,
                               const Head& head,
                               std::span<const float> params) {
  const int64_t d = config_.width;
  const int64_t m = config_.hidden;
  constexpr Activation kNone = Activation::kNone;
  const auto add = [params](PackedLinear& to, const Slot& weight,
                            const Slot& bias) {
    return to.Add(weight.of(params), bias.of(params));
  };
  const auto add_norm = [&](const Norm& norm) {
    Append(norm.weight.of(params), norms_);
    Append(norm.bias.of(params), norms_);
  };
  for (const Front::Layer& layer : stem.front.layers) {
    PackedLinear& packed = front_.emplace_back();
    RETURN_IF_ERROR(packed.Create({layer.map.in(), layer.map.to.channels,
                                   Activation::kRelu, Precision::kF32}));
    RETURN_IF_ERROR(add(packed, layer.weight, layer.bias));
  }
  RETURN_IF_ERROR(stem_.Create({stem.in, d, stem.activation, Precision::kF32}));
  RETURN_IF_ERROR(add(stem_, stem.weight, stem.bias));
  Append(stem.table.of(params), table_);
  if (!conv()) {
    RETURN_IF_ERROR(up_.Create({d, m, Activation::kRelu, precision}));
  }
  RETURN_IF_ERROR(down_.Create({m, d, kNone, precision}));
  for (const ExpertLayer& layer : layers) {
    add_norm(layer.norm);
    for (const Expert& expert : layer.experts) {
      if (conv()) {
        std::vector<float>& kernel = kernels_.emplace_back();
        Append(expert.up_weight.of(params), kernel);
        Append(expert.up_bias.of(params), kernel);
      } else {
        RETURN_IF_ERROR(add(up_, expert.up_weight, expert.up_bias));
      }
      RETURN_IF_ERROR(add(down_, expert.down_weight, expert.down_bias));
    }
  }
  add_norm(head.norm);
  RETURN_IF_ERROR(head_.Create(
      {config_.stream_size(), config_.num_classes(), kNone, precision}));
  return add(head_, head.weight, head.bias);
}

int64_t PackedParts::PaddedStreams(int64_t rows) const {
  const int64_t positions = config_.positions();
  const int64_t padded = LinearOp::PaddedRows(rows * positions);
  return std::max((padded + positions - 1) / positions,
                  LinearOp::PaddedRows(rows));
}

void PackedParts::RunStem(const float* x, int64_t rows,
                          std::vector<float>& scratch, float* h) const {
  if (!conv() && !config_.text()) {
    stem_.Apply(0, x, rows, h);
    return;
  }
  // A multiple of every block of rows that products are cut into, so that only
  // the last one is padded.
  constexpr int64_t kRows = 64;
  const int64_t inputs = config_.input.size();
  const int64_t points = config_.positions();
  std::vector<float> made;
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t count = std::min(kRows, rows - begin);
    const float* read = x + begin * inputs;
    Grow(scratch, PaddedStreams(count) * points * StemInputs(config_));
    if (!front_.empty()) {
      made.resize(count * maps_.back().to.size());
      RunFront(read, count, made.data());
      read = made.data();
    }
    if (conv()) {
      GatherPatches(config_.patched_map(), config_.patch, read, count,
                    scratch.data());
    } else {
      Embed(table_.data(), config_.embedding, read, count * inputs,
            scratch.data());
    }
    stem_.Apply(0, scratch.data(), count * points,
                h + begin * config_.stream_size());
  }
}

int64_t PackedParts::WorkFloats() const {
  const int64_t read =
      conv() || config_.text() ? config_.positions() * StemInputs(config_) : 0;
  int64_t floats = read + config_.hidden_size() + 2 * config_.stream_size();
  for (const FrontMap& map : maps_) {
    floats += map.to.positions() * map.in() + map.to.size();
  }
  return floats;
}

void PackedParts::RunFront(const float* x, int64_t rows, float* y) const {
  constexpr int64_t kRows = 4;  // at once
  std::vector<float> from, to, gathered;
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t count = std::min(kRows, rows - begin);
    const float* read = x + begin * config_.input.size();
    for (size_t i = 0; i < front_.size(); ++i) {
      const FrontMap& map = maps_[i];
      const int64_t points = count * map.to.positions();
      const int64_t padded = LinearOp::PaddedRows(points);
      Grow(gathered, padded * map.in());
      Grow(to, padded * map.to.channels);
      GatherPatches(map.from, map.patch, read, count, gathered.data());
      front_[i].Apply(0, gathered.data(), points, to.data());
      from.swap(to);
      read = from.data();
    }
    const int64_t size = maps_.back().to.size();
    std::copy_n(read, count * size, y + begin * size);
  }
}

void PackedParts::Normalise(int64_t layer, const float* z, float* y) const {
  const int64_t d = config_.width;
  const float* gain = norms_.data() + 2 * layer * d;
  LayerNorm(z, config_.positions(), d, gain, gain + d, y, nullptr);
}

void PackedParts::RunExpert(int64_t expert, const float* x, int64_t rows,
                            std::vector<float>& scratch, float* y) const {
  Grow(scratch, PaddedStreams(rows) * config_.hidden_size());
  if (conv()) {
    const float* kernel = kernels_[expert].data();
    ConvForward(conv_, kernel, kernel + conv_.weights(), x, rows,
                scratch.data());
    Relu(rows * config_.hidden_size(), scratch.data());
  } else {
    up_.Apply(expert, x, rows, scratch.data());
  }
  down_.Apply(expert, scratch.data(), rows * config_.positions(), y);
}

void PackedParts::NormaliseForHead(const float* z, float* y) const {
  Normalise(config_.layers, z, y);
  if (conv()) Relu(config_.stream_size(), y);
}

}  // namespace mre
