#include "model/engine/stack_engine.h"

#include <algorithm>
#include <utility>

#include "model/base/rng.h"
#include "model/math/elementwise.h"
#include "model/net/allocator.h"
#include "model/net/routing.h"
#include "model/net/topk.h"

namespace mre {

StackEngine::StackEngine(std::shared_ptr<const PackedStack> model,
                         const Options& options)
    : Engine(model, options),
      model_(std::move(model)),
      layers_(model_->config().layers),
      experts_(model_->config().experts),
      size_(model_->config().stream_size()),
      at_layer_(layers_),
      choices_(experts_),
      top_(model_->chosen()),
      score_(experts_),
      weights_(model_->chosen()) {}

void StackEngine::Resize(int64_t rows) { streams_.resize(rows * size_); }

void StackEngine::Start(std::span<const int> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const int64_t padded = model_->parts().PaddedStreams(count);
  Ensure(in_, padded * model_->config().input.size());
  Ensure(out_, padded * size_);
  CopyInputs(rows, in_.data());
  model_->parts().RunStem(in_.data(), count, mid_, out_.data());
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(out_.data() + i * size_, size_, stream(rows[i]));
    Progress& progress = row(rows[i]).progress;
    progress.macs = model_->cost().After(0);
    progress.next_step_macs = model_->cost().OneStep();
  }
}

void StackEngine::Advance(std::span<const int> rows, std::span<const int>) {
  for (std::vector<int>& layer : at_layer_) layer.clear();
  for (const int r : rows) at_layer_[row(r).progress.step].push_back(r);
  for (int64_t l = 0; l < layers_; ++l) {
    if (!at_layer_[l].empty()) RunLayer(l, at_layer_[l]);
  }
}

void StackEngine::RunLayer(int64_t layer, std::span<const int> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  Ensure(normal_, model_->parts().PaddedStreams(count) * size_);
  for (int64_t i = 0; i < count; ++i) {
    model_->parts().Normalise(layer, stream(rows[i]),
                              normal_.data() + i * size_);
  }
  Choose(layer, rows);
  // In ascending order of experts, so that a row's sum is always the same.
  for (int64_t e = 0; e < experts_; ++e) {
    const std::vector<Choice>& choices = choices_[e];
    const int64_t users = static_cast<int64_t>(choices.size());
    if (users == 0) continue;
    const int64_t padded = model_->parts().PaddedStreams(users);
    Ensure(in_, padded * size_);
    Ensure(out_, padded * size_);
    for (int64_t i = 0; i < users; ++i) {
      std::copy_n(normal_.data() + choices[i].at * size_, size_,
                  in_.data() + i * size_);
    }
    model_->parts().RunExpert(layer * experts_ + e, in_.data(), users, mid_,
                              out_.data());
    ExpertRan(layer * experts_ + e, users);
    for (int64_t i = 0; i < users; ++i) {
      AddScaled(out_.data() + i * size_, choices[i].weight, size_,
                stream(rows[choices[i].at]));
    }
  }
  for (const int r : rows) {
    Progress& progress = row(r).progress;
    ++progress.step;
    progress.exhausted = progress.step == layers_;
    progress.ray_coverage =
        static_cast<float>(progress.step) / static_cast<float>(layers_);
  }
}

void StackEngine::Choose(int64_t layer, std::span<const int> rows) {
  for (std::vector<Choice>& choices : choices_) choices.clear();
  const int64_t count = static_cast<int64_t>(rows.size());
  if (!model_->config().has_router()) {
    for (int64_t i = 0; i < count; ++i) {
      choices_[0].push_back({i, 1});
      row(rows[i]).info.expert = layer;
      row(rows[i]).progress.macs += model_->cost().OneStep();
    }
    return;
  }
  Ensure(logits_, LinearOp::PaddedRows(count) * model_->logits());
  model_->Router(layer, normal_.data(), count, mid_, logits_.data());
  for (int64_t i = 0; i < count; ++i) {
    Row& state = row(rows[i]);
    float* p = logits_.data() + i * model_->logits();
    std::copy_n(p, experts_, score_.begin());
    const uint64_t key =
        DrawKey(state.routing.seed, state.routing.row, state.progress.step);
    if (state.routing.sampled) {
      for (int64_t e = 0; e < experts_; ++e) {
        score_[e] += static_cast<float>(ToGumbel(Mix64(key + e)));
      }
    }
    if (const int64_t most = model_->config().allocations(); most > 0) {
      top_.resize(Allocate({p + experts_, static_cast<size_t>(most)},
                           state.routing.sampled ? 1.0f : 0.0f,
                           key + experts_));
    }
    ChooseTopk(score_, top_);
    Softmax(p, experts_, p);
    TopkWeights({p, static_cast<size_t>(experts_)}, top_, weights_.data());
    size_t largest = 0;
    for (size_t k = 0; k < top_.size(); ++k) {
      choices_[top_[k]].push_back({i, weights_[k]});
      if (weights_[k] > weights_[largest]) largest = k;
    }
    state.info.expert = layer * experts_ + top_[largest];
    state.progress.macs += model_->cost().Step(top_.size());
    state.info.experts.clear();
    for (size_t k = 0; top_.size() > 1 && k < top_.size(); ++k) {
      state.info.experts.push_back(
          static_cast<int32_t>(layer * experts_ + top_[k]));
    }
  }
}

void StackEngine::ReadHead(std::span<const int> rows, float* logits) {
  const int64_t count = static_cast<int64_t>(rows.size());
  Ensure(in_, model_->parts().PaddedStreams(count) * size_);
  for (int64_t i = 0; i < count; ++i) {
    model_->parts().NormaliseForHead(stream(rows[i]), in_.data() + i * size_);
  }
  model_->parts().RunHead(in_.data(), count, logits);
}

}  // namespace mre
