#include "model/engine/engine.h"

#include <algorithm>
#include <utility>

#include "model/math/elementwise.h"

namespace mre {
namespace {

// Grows `buffer` to `floats`; never shrinks.
void Ensure(std::vector<float>& buffer, int64_t floats) {
  if (static_cast<int64_t>(buffer.size()) < floats) buffer.resize(floats);
}

}  // namespace

Engine::Engine(std::shared_ptr<const PackedModel> model, const Options& options)
    : model_(std::move(model)),
      options_(options),
      layers_(model_->config().layers),
      experts_(model_->config().experts),
      width_(model_->config().width),
      classes_(model_->config().num_classes()),
      routing_(model_->routing()),
      rates_(routing_.total()) {}

void Engine::Grow() {
  const size_t old = rows_.size();
  const size_t rows = std::max<size_t>(16, old * 2);
  rows_.resize(rows);
  inputs_.resize(rows * model_->config().input.size());
  streams_.resize(rows * (layers_ + 1) * width_);
  probabilities_.resize(rows * routing_.probabilities());
  active_.resize(rows * routing_.total());
  outputs_.resize(rows * classes_);
  for (size_t row = rows; row-- > old;) free_.push_back(static_cast<int>(row));
}

int Engine::Begin(std::span<const float> input, const Routing& routing) {
  if (free_.empty()) Grow();
  const int row = free_.back();
  free_.pop_back();
  rows_[row] = Row();
  rows_[row].routing = routing;
  const InputConfig& config = model_->config().input;
  const int64_t channels = config.channels();
  float* scaled = inputs_.data() + row * config.size();
  for (int64_t i = 0; i < config.size(); ++i) {
    const int64_t c = i % channels;
    scaled[i] = static_cast<float>(
        (static_cast<double>(input[i]) * config.scale - config.mean[c]) /
        config.std[c]);
  }
  std::fill_n(active_.begin() + row * routing_.total(), routing_.total(), 0);
  return row;
}

void Engine::End(int row) { free_.push_back(row); }

void Engine::Step(std::span<const int> rows) {
  fresh_.clear();
  running_.clear();
  for (const int row : rows) {
    (rows_[row].begun ? running_ : fresh_).push_back(row);
  }
  if (!fresh_.empty()) StepZero(fresh_);
  if (!running_.empty()) RunExperts(running_);
  if (!rows.empty()) RunHead(rows);
}

std::span<const float> Engine::probabilities(int row) const {
  return {outputs_.data() + row * classes_, static_cast<size_t>(classes_)};
}

void Engine::StepZero(std::span<const int> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const int64_t padded = LinearOp::PaddedRows(count);
  const int64_t size = model_->config().input.size();
  const int64_t logits_size = routing_.total();
  Ensure(in_, padded * size);
  Ensure(mid_, padded * model_->config().context);
  Ensure(out_, padded * (width_ + logits_size));
  float* h = out_.data();
  float* logits = h + padded * width_;
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(inputs_.data() + rows[i] * size, size, in_.data() + i * size);
  }
  model_->Stem(in_.data(), count, h);
  model_->Router(h, count, mid_.data(), logits);
  for (int64_t i = 0; i < count; ++i) {
    const int row = rows[i];
    for (int64_t l = 0; l <= layers_; ++l) {
      std::copy_n(h + i * width_, width_, stream(row, l));
    }
    RoutingProbabilities(
        routing_, logits + i * logits_size, model_->transitions(),
        probabilities_.data() + row * routing_.probabilities());
    rows_[row].begun = true;
    rows_[row].progress.macs = model_->cost().After(0);
    rows_[row].progress.next_step_macs = model_->cost().OneStep();
    Route(row);
  }
}

void Engine::RunExperts(std::span<const int> rows) {
  // Counting sort of the rows by their next expert.
  begin_.assign(routing_.total() + 1, 0);
  for (const int row : rows) ++begin_[rows_[row].next_expert + 1];
  for (int64_t e = 0; e < routing_.total(); ++e) begin_[e + 1] += begin_[e];
  sorted_.resize(rows.size());
  for (const int row : rows) sorted_[begin_[rows_[row].next_expert]++] = row;

  int64_t begin = 0;
  for (int64_t e = 0; e < routing_.total(); ++e) {
    const int64_t end = begin_[e];  // the sort moved it there
    const int64_t count = end - begin;
    if (count == 0) continue;
    const int64_t layer = e / experts_;
    const int64_t padded = LinearOp::PaddedRows(count);
    Ensure(in_, padded * width_);
    Ensure(mid_, padded * model_->config().hidden);
    Ensure(out_, padded * width_);
    for (int64_t i = 0; i < count; ++i) {
      LayerNorm(stream(sorted_[begin + i], layer), width_,
                model_->norm_gain(layer), model_->norm_bias(layer),
                in_.data() + i * width_, nullptr);
    }
    model_->Expert(e, in_.data(), count, mid_.data(), out_.data());
    if (options_.on_expert_batch != nullptr) {
      options_.on_expert_batch(options_.context, e, count);
    }
    for (int64_t i = 0; i < count; ++i) {
      const int row = sorted_[begin + i];
      for (int64_t l = layer + 1; l <= layers_; ++l) {
        Add(out_.data() + i * width_, width_, stream(row, l));
      }
      Row& state = rows_[row];
      active_[row * routing_.total() + e] = 1;
      state.info.expert = e;
      ++state.progress.step;
      state.progress.macs += model_->cost().OneStep();
      Route(row);
    }
    begin = end;
  }
}

void Engine::Route(int row) {
  Row& state = rows_[row];
  Progress& progress = state.progress;
  const float coverage = TraceRays(
      routing_, probabilities_.data() + row * routing_.probabilities(),
      active_.data() + row * routing_.total(), rates_.data());
  const Routing& routing = state.routing;
  state.next_expert =
      routing.sampled ? DrawByRate(rates_, DrawKey(routing.seed, routing.row,
                                                   progress.step))
                      : LargestRate(rates_);
  progress.exhausted = state.next_expert < 0;
  // Coverage never falls and ends at 1; sums of rounded floats might not.
  progress.ray_coverage =
      progress.exhausted ? 1.0f
                         : std::clamp(coverage, progress.ray_coverage, 1.0f);
}

void Engine::RunHead(std::span<const int> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const int64_t padded = LinearOp::PaddedRows(count);
  Ensure(in_, padded * width_);
  Ensure(out_, padded * classes_);
  for (int64_t i = 0; i < count; ++i) {
    LayerNorm(stream(rows[i], layers_), width_, model_->norm_gain(layers_),
              model_->norm_bias(layers_), in_.data() + i * width_, nullptr);
  }
  model_->Head(in_.data(), count, out_.data());
  for (int64_t i = 0; i < count; ++i) {
    Row& state = rows_[rows[i]];
    float* p = outputs_.data() + rows[i] * classes_;
    Softmax(out_.data() + i * classes_, classes_, p);
    const int64_t top = std::max_element(p, p + classes_) - p;
    const bool same = state.progress.step > 0 && top == state.info.top_class;
    state.progress.stable_steps = same ? state.progress.stable_steps + 1 : 0;
    state.progress.confidence = p[top];
    state.info.top_class = top;
  }
}

}  // namespace mre
