#include "model/engine/raytracing_engine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "model/math/elementwise.h"

namespace mre {

RaytracingEngine::RaytracingEngine(
    std::shared_ptr<const PackedRaytracing> model, const Options& options)
    : Engine(model, options),
      model_(std::move(model)),
      relaxation_(model_->relaxation()),
      wiring_(model_->wiring()),
      most_(wiring_.sources()),
      exact_(wiring_.sources()),
      moves_(wiring_.sources()) {}

void RaytracingEngine::Resize(int64_t rows) {
  states_.Resize(wiring_, rows);
  relaxing_.resize(rows);
  ever_awake_.resize(rows * wiring_.blocks);
}

void RaytracingEngine::Reset(int handle) {
  relaxation_.Start(states_[handle]);
  relaxing_[handle] = Relaxing();
  std::fill_n(ever_awake_.begin() + handle * wiring_.blocks, wiring_.blocks,
              uint8_t{0});
}

void RaytracingEngine::Start(std::span<const int> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const int64_t padded = LinearOp::PaddedRows(count);
  const int64_t units = wiring_.module_units;
  Ensure(in_, padded * static_cast<int64_t>(wiring_.inputs[0].size()));
  Ensure(out_, padded * units);
  for (int64_t m = 0; m < wiring_.modules; ++m) {
    float* read = in_.data();
    for (const int r : rows) {
      for (const int32_t i : wiring_.inputs[m]) *read++ = input(r)[i];
    }
    model_->RunModule(m, in_.data(), count, out_.data());
    for (int64_t i = 0; i < count; ++i) {
      Softmax(out_.data() + i * units, units, states_[rows[i]].p + m * units);
    }
  }
  for (const int r : rows) {
    row(r).progress.macs = model_->cost().After(0);
    LookAhead(r);
  }
}

void RaytracingEngine::Advance(std::span<const int> rows,
                               std::span<const int>) {
  for (const int r : rows) {
    relaxing_[r].theta = NextTheta(r);
    ++row(r).progress.step;
    row(r).progress.macs += model_->cost().head;
  }
  for (int64_t e = 0; e < wiring_.blocks; ++e) RunBlock(e, rows);
  for (const int r : rows) EndStep(r);
}

void RaytracingEngine::RunBlock(int64_t block, std::span<const int> rows) {
  const int64_t wires = static_cast<int64_t>(wiring_.wires[block].size());
  const int64_t units = wiring_.block_units;
  users_.clear();
  for (const int r : rows) {
    const auto theta = static_cast<float>(relaxing_[r].theta);
    if (!relaxation_.Visit(block, theta, states_[r])) continue;
    users_.push_back(r);
    row(r).progress.macs += model_->cost().Expert(block);
  }
  const int64_t users = static_cast<int64_t>(users_.size());
  if (users == 0) return;
  const int64_t padded = LinearOp::PaddedRows(users);
  Ensure(in_, padded * wires);
  Ensure(out_, padded * units);
  for (int64_t i = 0; i < users; ++i) {
    relaxation_.Read(block, states_[users_[i]], in_.data() + i * wires);
  }
  model_->RunBlock(block, in_.data(), users, out_.data());
  ExpertRan(block, users);
  for (int64_t i = 0; i < users; ++i) {
    Softmax(out_.data() + i * units, units,
            states_[users_[i]].p + wiring_.first_unit(block));
  }
}

void RaytracingEngine::EndStep(int handle) {
  Row& state = row(handle);
  const RowState rays = states_[handle];
  relaxation_.EndStep(rays);
  uint8_t* ever = ever_awake_.data() + handle * wiring_.blocks;
  state.info.experts.clear();
  state.info.expert = -1;
  for (int64_t e = 0; e < wiring_.blocks; ++e) {
    if (rays.amount[wiring_.modules + e] == 0 || ever[e] != 0) continue;
    ever[e] = 1;
    state.info.experts.push_back(static_cast<int32_t>(e));
    if (state.info.expert < 0 || rays.rate[e] > rays.rate[state.info.expert]) {
      state.info.expert = e;
    }
  }
  if (state.info.experts.size() == 1) state.info.experts.clear();
  relaxing_[handle].arrived = relaxation_.Arrived(rays);
  const auto mass = static_cast<float>(model_->config().raytracing.mass());
  state.progress.ray_coverage =
      std::min(relaxing_[handle].arrived / mass, 1.0f);
  LookAhead(handle);
}

double RaytracingEngine::NextTheta(int handle) {
  const float asked = row(handle).thresholds.theta_decay;
  const double decay = asked > 0 ? static_cast<double>(asked)
                                 : model_->config().raytracing.decay;
  return NextThreshold(relaxing_[handle].theta, decay,
                       int64_t{row(handle).progress.step} + 1);
}

float RaytracingEngine::ThetaOut(int handle) {
  const float asked = row(handle).thresholds.theta_out;
  return asked > 0 ? asked
                   : static_cast<float>(model_->config().raytracing.theta_out);
}

void RaytracingEngine::Retuned(int handle) {
  if (row(handle).begun) LookAhead(handle);
}

void RaytracingEngine::LookAhead(int handle) {
  Progress& progress = row(handle).progress;
  progress.exhausted = progress.step >= model_->max_steps() ||
                       relaxing_[handle].arrived > ThetaOut(handle);
  progress.next_step_macs = progress.exhausted ? 0 : MostMacs(handle);
}

// Follows the most mass that may reach each block. What a source sends is known
// exactly where it is a module, or a block whose own input cannot change; of
// any other block all it may send could go to any one that it feeds.
uint64_t RaytracingEngine::MostMacs(int handle) {
  // Sums of the step itself round otherwise, the more the longer they are.
  const float slack =
      1 + 4 * std::numeric_limits<float>::epsilon() *
              static_cast<float>(wiring_.units() + wiring_.sources());
  constexpr float kLeast = 1e-6f;
  const RowState rays = states_[handle];
  const auto theta = static_cast<float>(NextTheta(handle));
  uint64_t macs = model_->cost().head;
  for (int64_t m = 0; m < wiring_.modules; ++m) {
    most_[m] = 1;
    exact_[m] = 1;
    moves_[m] = rays.changed[m];
  }
  for (int64_t e = 0; e < wiring_.blocks; ++e) {
    const int64_t source = wiring_.modules + e;
    bool stale = false;
    float rate = 0;
    for (const int32_t feeder : wiring_.feeders[e]) {
      stale |= moves_[feeder] != 0;
      if (exact_[feeder] == 0) rate += most_[feeder];
    }
    if (stale) {
      for (const int32_t unit : wiring_.wires[e]) {
        const int32_t feeder = wiring_.source[unit];
        if (exact_[feeder] != 0) rate += most_[feeder] * rays.p[unit];
      }
      rate = rate * slack + kLeast;
    } else {
      rate = rays.rate[e];
    }
    const bool known = !stale && rays.known[e] != 0;
    most_[source] = std::max(rate - theta, 0.0f);
    exact_[source] = known || most_[source] == 0;
    moves_[source] = most_[source] > 0 || rays.amount[source] > 0;
    if (most_[source] > 0 && !known) macs += model_->cost().Expert(e);
  }
  return macs;
}

void RaytracingEngine::ReadHead(std::span<const int> rows, float* logits) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const int64_t wires = static_cast<int64_t>(wiring_.output.size());
  Ensure(in_, LinearOp::PaddedRows(count) * wires);
  for (int64_t i = 0; i < count; ++i) {
    relaxation_.ReadOutput(states_[rows[i]], in_.data() + i * wires);
  }
  model_->RunHead(in_.data(), count, logits);
}

}  // namespace mre
