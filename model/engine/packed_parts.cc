#include "model/engine/packed_parts.h"

#include <algorithm>
#include <utility>

#include "model/base/status_macros.h"
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
  const auto add_conv = [params](std::vector<PackedConv>& to,
                                 const ConvShape& shape, Activation activation,
                                 const Slot& weight,
                                 const Slot& bias) -> absl::Status {
    ASSIGN_OR_RETURN(PackedConv packed,
                     PackedConv::Create(shape, activation, weight.of(params),
                                        bias.of(params)));
    to.push_back(std::move(packed));
    return absl::OkStatus();
  };
  for (const ConvStem::Layer& layer : stem.convs.layers) {
    RETURN_IF_ERROR(add_conv(stem_convs_, layer.shape, layer.activation,
                             layer.weight, layer.bias));
  }
  if (!conv()) {
    RETURN_IF_ERROR(
        stem_.Create({stem.in, d, stem.activation, Precision::kF32}));
    RETURN_IF_ERROR(add(stem_, stem.weight, stem.bias));
    Append(stem.table.of(params), table_);
    RETURN_IF_ERROR(up_.Create({d, m, Activation::kRelu, precision}));
    RETURN_IF_ERROR(down_.Create({m, d, kNone, precision}));
  }
  ConvShape up = ExpertUp(config_);
  ConvShape down = ExpertDown(config_);
  up.precision = down.precision = precision;
  for (const ExpertLayer& layer : layers) {
    add_norm(layer.norm);
    for (const Expert& expert : layer.experts) {
      if (conv()) {
        RETURN_IF_ERROR(add_conv(up_convs_, up, Activation::kRelu,
                                 expert.up_weight, expert.up_bias));
        RETURN_IF_ERROR(add_conv(down_convs_, down, kNone, expert.down_weight,
                                 expert.down_bias));
      } else {
        RETURN_IF_ERROR(add(up_, expert.up_weight, expert.up_bias));
        RETURN_IF_ERROR(add(down_, expert.down_weight, expert.down_bias));
      }
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
  if (conv()) {
    RunConvStem(x, rows, h);
    return;
  }
  if (!config_.text()) {
    stem_.Apply(0, x, rows, h);
    return;
  }
  const int64_t inputs = rows * config_.input.size();
  Grow(scratch, LinearOp::PaddedRows(rows) * config_.linear_stem_inputs());
  Embed(table_.data(), config_.embedding, x, inputs, scratch.data());
  stem_.Apply(0, scratch.data(), rows, h);
}

void PackedParts::RunConvStem(const float* x, int64_t rows, float* h) const {
  constexpr int64_t kRows = 64;  // at once
  std::vector<float> from, to;
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t count = std::min(kRows, rows - begin);
    const float* read = x + begin * config_.input.size();
    for (const PackedConv& layer : stem_convs_) {
      const bool last = &layer == &stem_convs_.back();
      Grow(to, last ? 0 : count * layer.shape().to().size());
      float* write = last ? h + begin * config_.stream_size() : to.data();
      layer.Apply(read, count, write);
      from.swap(to);
      read = from.data();
    }
  }
}

int64_t PackedParts::WorkFloats() const {
  return config_.hidden_size() + config_.input.size() * config_.embedding;
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
    up_convs_[expert].Apply(x, rows, scratch.data());
    down_convs_[expert].Apply(scratch.data(), rows, y);
  } else {
    up_.Apply(expert, x, rows, scratch.data());
    down_.Apply(expert, scratch.data(), rows, y);
  }
}

void PackedParts::RunRouter(const PackedLinear& router, int64_t i,
                            const float* x, int64_t rows,
                            std::vector<float>& scratch, float* y) const {
  if (!features_.identity()) {
    Grow(scratch, LinearOp::PaddedRows(rows) * features_.size());
    float stats[2];
    for (int64_t r = 0; r < rows; ++r) {
      features_.Forward(x + r * config_.stream_size(),
                        scratch.data() + r * features_.size(), stats);
    }
    x = scratch.data();
  }
  router.Apply(i, x, rows, y);
}

void PackedParts::NormaliseForHead(const float* z, float* y) const {
  Normalise(config_.layers, z, y);
  if (conv()) Relu(config_.stream_size(), y);
}

}  // namespace mre
