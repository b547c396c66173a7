#include "model/engine/engine.h"

#include <algorithm>
#include <utility>

#include "model/math/elementwise.h"

namespace mre {

Engine::Engine(std::shared_ptr<const PackedModel> model, const Options& options)
    : model_(std::move(model)),
      options_(options),
      classes_(model_->config().num_classes()) {}

void Engine::CopyInputs(std::span<const int> rows, float* to) const {
  const int64_t size = model_->config().input.size();
  for (const int handle : rows) {
    std::copy_n(input(handle), size, to);
    to += size;
  }
}

void Engine::Ensure(std::vector<float>& buffer, int64_t floats) {
  if (static_cast<int64_t>(buffer.size()) < floats) buffer.resize(floats);
}

void Engine::Grow() {
  // Sixteen rows at first, but of large ones no more than a megabyte's.
  constexpr int64_t kFirstBytes = 1 << 20;
  const size_t first = static_cast<size_t>(
      std::clamp<int64_t>(kFirstBytes / model_->RowBytes(), 1, 16));
  const size_t old = rows_.size();
  const size_t rows = std::max(first, old * 2);
  Resize(static_cast<int64_t>(rows));
  rows_.resize(rows);
  inputs_.resize(rows * model_->config().input.size());
  outputs_.resize(rows * classes_);
  for (size_t row = rows; row-- > old;) free_.push_back(static_cast<int>(row));
}

int Engine::Begin(std::span<const float> input, const Routing& routing,
                  const Thresholds& thresholds, bool quiet) {
  if (free_.empty()) Grow();
  const int row = free_.back();
  free_.pop_back();
  rows_[row] = Row();
  rows_[row].routing = routing;
  rows_[row].thresholds = thresholds;
  rows_[row].quiet = quiet;
  const InputConfig& config = model_->config().input;
  const int64_t size = config.size();
  const int64_t channels = config.channels();
  float* scaled = inputs_.data() + row * size;
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = config.mean[c];
    const double std = config.std[c];
    for (int64_t i = c; i < size; i += channels) {
      scaled[i] = static_cast<float>(
          (static_cast<double>(input[i]) * config.scale - mean) / std);
    }
  }
  Reset(row);
  return row;
}

void Engine::Retune(int row, const Thresholds& thresholds) {
  rows_[row].thresholds = thresholds;
  Retuned(row);
}

void Engine::End(int row) { free_.push_back(row); }

void Engine::Step(std::span<const int> rows, std::span<const int> ahead) {
  fresh_.clear();
  running_.clear();
  ahead_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows_[rows[i]].begun) {
      fresh_.push_back(rows[i]);
      continue;
    }
    running_.push_back(rows[i]);
    ahead_.push_back(ahead.empty() ? 1 : ahead[i]);
  }
  if (!fresh_.empty()) {
    Start(fresh_);
    for (const int row : fresh_) rows_[row].begun = true;
  }
  if (!running_.empty()) Advance(running_, ahead_);
  if (!rows.empty()) RunHead(rows);
}

std::span<const float> Engine::probabilities(int row) const {
  return {outputs_.data() + row * classes_, static_cast<size_t>(classes_)};
}

void Engine::RunHead(std::span<const int> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  Ensure(logits_, LinearOp::PaddedRows(count) * classes_);
  ReadHead(rows, logits_.data());
  SoftmaxRows(count, classes_, logits_.data());
  for (int64_t i = 0; i < count; ++i) {
    Row& state = rows_[rows[i]];
    const float* p = logits_.data() + i * classes_;
    std::copy_n(p, classes_, outputs_.data() + rows[i] * classes_);
    const int64_t top = std::max<int64_t>(FirstLargest(p, classes_), 0);
    const bool same = state.progress.step > 0 && top == state.info.top_class;
    state.progress.stable_steps = same ? state.progress.stable_steps + 1 : 0;
    state.progress.confidence = p[top];
    state.info.top_class = top;
  }
}

}  // namespace mre
