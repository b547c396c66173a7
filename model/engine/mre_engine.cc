#include "model/engine/mre_engine.h"

#include <algorithm>
#include <utility>

#include "model/math/elementwise.h"

namespace mre {

MreEngine::MreEngine(std::shared_ptr<const PackedMre> model,
                     const Options& options)
    : Engine(model, options),
      model_(std::move(model)),
      layers_(model_->config().layers),
      experts_(model_->config().experts),
      size_(model_->config().stream_size()),
      routing_(model_->routing()),
      rates_(routing_.total()) {}

void MreEngine::Resize(int64_t rows) {
  next_expert_.resize(rows);
  streams_.resize(rows * (layers_ + 1) * size_);
  probabilities_.resize(rows * routing_.probabilities());
  active_.resize(rows * routing_.total());
}

void MreEngine::Reset(int row) {
  std::fill_n(active_.begin() + row * routing_.total(), routing_.total(), 0);
}

void MreEngine::Start(std::span<const int> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const int64_t padded = model_->parts().PaddedStreams(count);
  const int64_t logits_size = routing_.total();
  Ensure(in_, padded * model_->config().input.size());
  Ensure(out_, padded * (size_ + logits_size));
  float* h = out_.data();
  float* logits = h + padded * size_;
  CopyInputs(rows, in_.data());
  model_->parts().RunStem(in_.data(), count, mid_, h);
  model_->Router(h, count, mid_, logits);
  for (int64_t i = 0; i < count; ++i) {
    const int row = rows[i];
    for (int64_t l = 0; l <= layers_; ++l) {
      std::copy_n(h + i * size_, size_, stream(row, l));
    }
    RoutingProbabilities(
        routing_, logits + i * logits_size, model_->transitions(),
        probabilities_.data() + row * routing_.probabilities());
    Progress& progress = this->row(row).progress;
    progress.macs = model_->cost().After(0);
    progress.next_step_macs = model_->cost().OneStep();
    Route(row);
  }
}

void MreEngine::Advance(std::span<const int> rows) {
  // Counting sort of the rows by their next expert.
  begin_.assign(routing_.total() + 1, 0);
  for (const int row : rows) ++begin_[next_expert_[row] + 1];
  for (int64_t e = 0; e < routing_.total(); ++e) begin_[e + 1] += begin_[e];
  sorted_.resize(rows.size());
  for (const int row : rows) sorted_[begin_[next_expert_[row]]++] = row;

  int64_t begin = 0;
  for (int64_t e = 0; e < routing_.total(); ++e) {
    const int64_t end = begin_[e];  // the sort moved it there
    const int64_t count = end - begin;
    if (count == 0) continue;
    const int64_t layer = e / experts_;
    const int64_t padded = model_->parts().PaddedStreams(count);
    Ensure(in_, padded * size_);
    Ensure(out_, padded * size_);
    for (int64_t i = 0; i < count; ++i) {
      model_->parts().Normalise(layer, stream(sorted_[begin + i], layer),
                                in_.data() + i * size_);
    }
    model_->parts().RunExpert(e, in_.data(), count, mid_, out_.data());
    ExpertRan(e, count);
    for (int64_t i = 0; i < count; ++i) {
      const int row = sorted_[begin + i];
      for (int64_t l = layer + 1; l <= layers_; ++l) {
        Add(out_.data() + i * size_, size_, stream(row, l));
      }
      Row& state = this->row(row);
      active_[row * routing_.total() + e] = 1;
      state.info.expert = e;
      ++state.progress.step;
      state.progress.macs += model_->cost().OneStep();
      Route(row);
    }
    begin = end;
  }
}

void MreEngine::Route(int row) {
  Row& state = this->row(row);
  Progress& progress = state.progress;
  const float coverage = TraceRays(
      routing_, probabilities_.data() + row * routing_.probabilities(),
      active_.data() + row * routing_.total(), rates_.data());
  const Routing& routing = state.routing;
  next_expert_[row] =
      routing.sampled ? DrawByRate(rates_, DrawKey(routing.seed, routing.row,
                                                   progress.step))
                      : LargestRate(rates_);
  progress.exhausted = next_expert_[row] < 0;
  // Coverage never falls and ends at 1; sums of rounded floats might not.
  progress.ray_coverage =
      progress.exhausted ? 1.0f
                         : std::clamp(coverage, progress.ray_coverage, 1.0f);
}

void MreEngine::ReadHead(std::span<const int> rows, float* logits) {
  const int64_t count = static_cast<int64_t>(rows.size());
  Ensure(in_, LinearOp::PaddedRows(count) * size_);
  for (int64_t i = 0; i < count; ++i) {
    model_->parts().NormaliseForHead(stream(rows[i], layers_),
                                     in_.data() + i * size_);
  }
  model_->parts().RunHead(in_.data(), count, logits);
}

}  // namespace mre
