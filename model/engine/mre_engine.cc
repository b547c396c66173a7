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
  waves_.resize(rows);
  wave_logits_.resize(rows * kMostAhead * model_->config().num_classes());
}

void MreEngine::Reset(int row) {
  std::fill_n(active_.begin() + row * routing_.total(), routing_.total(), 0);
  waves_[row] = {};
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
    progress.ray_coverage = std::clamp(Route(row, 0), 0.0f, 1.0f);
  }
}

void MreEngine::Advance(std::span<const int> rows, std::span<const int> ahead) {
  waiting_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (waves_[rows[i]].Left() > 0) continue;
    Plan(rows[i], ahead[i]);
    waiting_.push_back(rows[i]);
  }
  if (!waiting_.empty()) RunWaves(waiting_);
  for (const int row : rows) Show(row);
}

void MreEngine::Plan(int row, int most) {
  Wave& wave = waves_[row];
  wave.size = 0;
  wave.shown = 0;
  const Progress& progress = this->row(row).progress;
  float coverage = progress.ray_coverage;
  most =
      std::min(most, this->row(row).quiet ? model_->MostQuiet() : kMostAhead);
  const int64_t left = model_->max_steps() - int64_t{progress.step};
  while (wave.size < std::min<int64_t>(most, left) && next_expert_[row] >= 0) {
    Planned& step = wave.steps[wave.size++];
    step.expert = next_expert_[row];
    active_[row * routing_.total() + step.expert] = 1;
    const float traced =
        Route(row, progress.step + static_cast<uint32_t>(wave.size));
    const bool all = next_expert_[row] < 0;
    step.exhausted = all || wave.size == left;
    // Coverage never falls and ends at 1; sums of rounded floats might not.
    coverage = all ? 1.0f : std::clamp(traced, coverage, 1.0f);
    step.coverage = coverage;
  }
}

float MreEngine::Route(int row, uint32_t step) {
  const float coverage = TraceRays(
      routing_, probabilities_.data() + row * routing_.probabilities(),
      active_.data() + row * routing_.total(), rates_.data());
  const Routing& routing = this->row(row).routing;
  next_expert_[row] =
      routing.sampled
          ? DrawByRate(rates_, DrawKey(routing.seed, routing.row, step))
          : LargestRate(rates_);
  return coverage;
}

template <typename Body>
void MreEngine::ForSteps(std::span<const int> rows, int64_t layer, Body body) {
  int64_t k = 0;  // among all waves' steps
  for (const int row : rows) {
    const Wave& wave = waves_[row];
    float* z = stream(row, layer);
    for (int64_t t = 0; t < wave.size; ++t, ++k) {
      const int64_t wrote = wave.steps[t].expert / experts_;
      if (wrote < layer)
        Add(out_.data() + sorted_.position[k] * size_, size_, z);
      if (wrote == layer || layer == layers_) body(row, t, k, z);
    }
  }
}

void MreEngine::RunWaves(std::span<const int> rows) {
  const PackedParts& parts = model_->parts();
  uses_.clear();
  for (const int row : rows) {
    const Wave& wave = waves_[row];
    for (int64_t t = 0; t < wave.size; ++t) {
      uses_.push_back(static_cast<int32_t>(wave.steps[t].expert));
    }
  }
  sorted_.Sort(uses_, routing_.total());
  const std::vector<int64_t>& first = sorted_.expert_begin;
  const int64_t steps = first.back();
  int64_t padded = LinearOp::PaddedRows(steps);  // for the head
  for (int64_t e = 0; e < routing_.total(); ++e) {
    padded = std::max(padded,
                      first[e] + parts.PaddedStreams(first[e + 1] - first[e]));
  }
  Ensure(in_, padded * size_);
  Ensure(out_, padded * size_);
  for (int64_t layer = 0; layer < layers_; ++layer) {
    ForSteps(rows, layer, [&](int, int64_t, int64_t k, const float* z) {
      parts.Normalise(layer, z, in_.data() + sorted_.position[k] * size_);
    });
    for (int64_t e = layer * experts_; e < (layer + 1) * experts_; ++e) {
      const int64_t count = first[e + 1] - first[e];
      if (count == 0) continue;
      // What padding writes past them is overwritten by the next experts.
      parts.RunExpert(e, in_.data() + first[e] * size_, count, mid_,
                      out_.data() + first[e] * size_);
      ExpertRan(e, count);
    }
  }
  int64_t heads = 0;
  ForSteps(rows, layers_, [&](int row, int64_t t, int64_t, const float* z) {
    if (!HasHead(row, t)) return;
    parts.NormaliseForHead(z, in_.data() + heads++ * size_);
  });
  const int64_t classes = model_->config().num_classes();
  Ensure(logits_, LinearOp::PaddedRows(heads) * classes);
  parts.RunHead(in_.data(), heads, logits_.data());
  const float* from = logits_.data();
  for (const int row : rows) {
    const int64_t shown = this->row(row).quiet ? 1 : waves_[row].size;
    std::copy_n(from, shown * classes, wave_logits(row));
    from += shown * classes;
  }
}

void MreEngine::Show(int row) {
  Row& state = this->row(row);
  Wave& wave = waves_[row];
  const int64_t count = state.quiet ? wave.Left() : 1;
  wave.shown += count;
  const Planned& step = wave.steps[wave.shown - 1];
  state.info.expert = step.expert;
  Progress& progress = state.progress;
  progress.step += static_cast<uint32_t>(count);
  progress.macs += static_cast<uint64_t>(count) * model_->cost().OneStep();
  progress.ray_coverage = step.coverage;
  progress.exhausted = step.exhausted;
}

void MreEngine::ReadHead(std::span<const int> rows, float* logits) {
  const int64_t classes = model_->config().num_classes();
  int64_t fresh = 0;
  Ensure(in_, LinearOp::PaddedRows(static_cast<int64_t>(rows.size())) * size_);
  for (const int row : rows) {
    if (this->row(row).progress.step > 0) continue;
    model_->parts().NormaliseForHead(stream(row, layers_),
                                     in_.data() + fresh++ * size_);
  }
  Ensure(logits_, LinearOp::PaddedRows(fresh) * classes);
  model_->parts().RunHead(in_.data(), fresh, logits_.data());
  const float* first = logits_.data();
  for (const int row : rows) {
    const bool shown = this->row(row).progress.step > 0;
    const int64_t place = this->row(row).quiet ? 0 : waves_[row].shown - 1;
    const float* from = shown ? wave_logits(row) + place * classes : first;
    if (!shown) first += classes;
    logits = std::copy_n(from, classes, logits);
  }
}

}  // namespace mre
