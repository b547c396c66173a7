#include "model/net/raytracing.h"

#include <algorithm>
#include <numeric>

#include "model/net/batch_ops.h"

namespace mre {
namespace {

// Rows are asked to arrive with this much of theta_out one step earlier.
constexpr float kMargin = 1.2f;

std::vector<float> Thresholds(const RaytracingConfig& rays) {
  std::vector<float> thresholds = {0};
  double theta = 0;
  for (int64_t t = 1; t <= rays.max_steps; ++t) {
    theta = NextThreshold(theta, rays.decay, t);
    thresholds.push_back(static_cast<float>(theta));
  }
  return thresholds;
}

uint64_t ModuleMacs(const RaytracingParams& parts) {
  uint64_t macs = 0;
  for (const RayLinear& module : parts.modules) macs += module.weight.size;
  return macs;
}

}  // namespace

RaytracingNetwork::RaytracingNetwork(const ModelConfig& config)
    : config_(config),
      parts_(config),
      relaxation_(config),
      wiring_(relaxation_.wiring()),
      classes_(config.num_classes()),
      out_wires_(parts_.head.in),
      stem_macs_(ModuleMacs(parts_)),
      thresholds_(Thresholds(config.raytracing)) {}

Exits RaytracingNetwork::Forward(std::span<const float> params, const float* x,
                                 int64_t rows, const PassOptions& options) {
  const int64_t exits = options.steps + 1;
  options_ = options;
  rows_ = rows;
  steps_ = options.steps;
  states_.Resize(wiring_, rows);
  if (options.arrival > 0) early_.Resize(wiring_, rows);
  if (!keep_stops_) stop_.assign(rows, steps_);
  theta_.resize(rows);
  arrived_.resize(rows);
  // Enough, where there is no earlier step.
  early_arrived_.assign(rows,
                        static_cast<float>(2 * config_.raytracing.mass()));
  woken_.resize(rows);
  woken_by_.resize(rows * exits);
  path_.resize(rows * options.steps);
  ever_awake_.assign(rows * wiring_.blocks, 0);
  logits_.resize(rows * exits * classes_);
  coverage_.resize(rows * exits);
  weights_.assign(rows * exits, 0.0f);
  macs_.resize(rows * exits);
  ForRowBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    RelaxRows(params, x, begin, end);
  });
  experts_.clear();
  expert_begin_ = {0};
  for (int64_t b = 0; b < rows; ++b) {
    const int64_t before = static_cast<int64_t>(experts_.size());
    experts_.insert(experts_.end(), woken_[b].begin(), woken_[b].end());
    for (int64_t t = 1; t < exits; ++t) {
      expert_begin_.push_back(before + woken_by_[b * exits + t]);
    }
  }
  return {rows_, steps_,        logits_,  coverage_, experts_,
          path_, expert_begin_, weights_, macs_};
}

void RaytracingNetwork::RelaxRows(std::span<const float> params, const float* x,
                                  int64_t begin, int64_t end) {
  Scratch scratch;
  std::vector<int64_t> live(end - begin);
  std::iota(live.begin(), live.end(), begin);
  RunModules(params, x, begin, end, scratch);
  std::vector<uint64_t> spent(rows_, stem_macs_);
  for (const int64_t b : live) woken_[b].clear();
  for (int64_t t = 0; t <= steps_ && !live.empty(); ++t) {
    if (t > 0) {
      for (const int64_t b : live) theta_[b] = thresholds_[t];
      RunBlocks(params, live, states_, spent.data(), scratch);
    }
    ReadExit(params, live, t, scratch);
    std::erase_if(live, [&](int64_t b) {
      const int64_t exit = b * (steps_ + 1) + t;
      spent[b] += parts_.head.weight.size;
      macs_[exit] = spent[b];
      NoteWoken(b);
      if (t > 0) path_[b * steps_ + t - 1] = Leader(b, woken_by_[exit - 1]);
      woken_by_[exit] = static_cast<int64_t>(woken_[b].size());
      if (keep_stops_) return t == stop_[b];
      const bool stops =
          arrived_[b] > static_cast<float>(config_.raytracing.theta_out);
      if (stops) stop_[b] = t;
      return stops;
    });
  }
  for (int64_t b = begin; b < end; ++b) FillExits(b);
  if (options_.arrival > 0) RunEarly(params, begin, end, scratch);
}

void RaytracingNetwork::RunModules(std::span<const float> params,
                                   const float* x, int64_t begin, int64_t end,
                                   Scratch& scratch) {
  const int64_t units = wiring_.module_units;
  const int64_t rows = end - begin;
  for (int64_t b = begin; b < end; ++b) relaxation_.Start(states_[b]);
  scratch.out.resize(rows * units);
  for (int64_t m = 0; m < wiring_.modules; ++m) {
    const RayLinear& module = parts_.modules[m];
    scratch.read.resize(rows * module.in);
    float* read = scratch.read.data();
    for (int64_t b = begin; b < end; ++b) {
      for (const int32_t i : wiring_.inputs[m]) {
        *read++ = x[b * config_.input.size() + i];
      }
    }
    LinearRows(module.weight.in(params), module.bias.in(params),
               scratch.read.data(), rows, module.in, units, scratch.out.data());
    for (int64_t i = 0; i < rows; ++i) {
      Softmax(scratch.out.data() + i * units, units,
              states_[begin + i].p + m * units);
    }
  }
}

void RaytracingNetwork::RunBlocks(std::span<const float> params,
                                  std::span<const int64_t> rows,
                                  RowStates& states, uint64_t* macs,
                                  Scratch& scratch) {
  const int64_t units = wiring_.block_units;
  for (int64_t e = 0; e < wiring_.blocks; ++e) {
    const RayLinear& block = parts_.blocks[e];
    scratch.users.clear();
    for (const int64_t b : rows) {
      if (!relaxation_.Visit(e, theta_[b], states[b])) continue;
      scratch.users.push_back(b);
      if (macs != nullptr) macs[b] += block.weight.size;
    }
    const int64_t users = static_cast<int64_t>(scratch.users.size());
    if (users == 0) continue;
    scratch.read.resize(users * block.in);
    scratch.out.resize(users * units);
    for (int64_t i = 0; i < users; ++i) {
      relaxation_.Read(e, states[scratch.users[i]],
                       scratch.read.data() + i * block.in);
    }
    LinearRows(block.weight.in(params), block.bias.in(params),
               scratch.read.data(), users, block.in, units, scratch.out.data());
    for (int64_t i = 0; i < users; ++i) {
      Softmax(scratch.out.data() + i * units, units,
              states[scratch.users[i]].p + wiring_.first_unit(e));
    }
  }
  for (const int64_t b : rows) relaxation_.EndStep(states[b]);
}

void RaytracingNetwork::ReadExit(std::span<const float> params,
                                 std::span<const int64_t> rows, int64_t t,
                                 Scratch& scratch) {
  const int64_t count = static_cast<int64_t>(rows.size());
  const float mass = static_cast<float>(config_.raytracing.mass());
  scratch.read.resize(count * out_wires_);
  scratch.out.resize(count * classes_);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t b = rows[i];
    arrived_[b] = relaxation_.ReadOutput(states_[b],
                                         scratch.read.data() + i * out_wires_);
    coverage_[b * (steps_ + 1) + t] = std::min(arrived_[b] / mass, 1.0f);
  }
  LinearRows(parts_.head.weight.in(params), parts_.head.bias.in(params),
             scratch.read.data(), count, out_wires_, classes_,
             scratch.out.data());
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(scratch.out.data() + i * classes_, classes_,
                logits_.data() + (rows[i] * (steps_ + 1) + t) * classes_);
  }
}

void RaytracingNetwork::NoteWoken(int64_t b) {
  const float* amount = states_[b].amount + wiring_.modules;
  uint8_t* ever = ever_awake_.data() + b * wiring_.blocks;
  for (int64_t e = 0; e < wiring_.blocks; ++e) {
    if (amount[e] == 0 || ever[e] != 0) continue;
    ever[e] = 1;
    woken_[b].push_back(static_cast<int32_t>(e));
  }
}

int32_t RaytracingNetwork::Leader(int64_t b, int64_t from) {
  const float* rate = states_[b].rate;
  int32_t leader = -1;
  for (size_t i = from; i < woken_[b].size(); ++i) {
    const int32_t e = woken_[b][i];
    if (leader < 0 || rate[e] > rate[leader]) leader = e;
  }
  return leader;
}

void RaytracingNetwork::FillExits(int64_t b) {
  const int64_t first = b * (steps_ + 1);
  const int64_t last = first + stop_[b];
  weights_[last] = 1;
  for (int64_t exit = last + 1; exit <= first + steps_; ++exit) {
    std::copy_n(logits_.data() + last * classes_, classes_,
                logits_.data() + exit * classes_);
    coverage_[exit] = coverage_[last];
    macs_[exit] = macs_[last];
    woken_by_[exit] = woken_by_[last];
  }
  std::fill(path_.begin() + b * steps_ + stop_[b],
            path_.begin() + (b + 1) * steps_, -1);
}

void RaytracingNetwork::RunEarly(std::span<const float> params, int64_t begin,
                                 int64_t end, Scratch& scratch) {
  const int64_t module_units = wiring_.first_unit(0);
  std::vector<int64_t> rows;
  for (int64_t b = begin; b < end; ++b) {
    relaxation_.Start(early_[b]);
    std::copy_n(states_[b].p, module_units, early_[b].p);
    if (stop_[b] < 2) continue;
    rows.push_back(b);
    theta_[b] = thresholds_[stop_[b] - 1];
  }
  RunBlocks(params, rows, early_, nullptr, scratch);
  for (const int64_t b : rows) {
    early_arrived_[b] = relaxation_.Arrived(early_[b]);
  }
}

double RaytracingNetwork::arrival_loss() const {
  const double wanted = kMargin * config_.raytracing.theta_out;
  double loss = 0;
  for (const float arrived : early_arrived_) {
    loss += std::max(0.0, wanted - static_cast<double>(arrived));
  }
  return options_.arrival * loss / static_cast<double>(rows_);
}

void RaytracingNetwork::Backward(std::span<const float> params, const float* x,
                                 const float* dlogits,
                                 std::span<float> gradient) {
  const int64_t wires = out_wires_;
  read_.resize(rows_ * wires);
  dread_.resize(rows_ * wires);
  dhead_.resize(rows_ * classes_);
  dq_.resize(rows_ * wiring_.units());
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      std::copy_n(dlogits + (b * (steps_ + 1) + stop_[b]) * classes_, classes_,
                  dhead_.data() + b * classes_);
    }
    Gemm(false, false, end - begin, wires, classes_,
         dhead_.data() + begin * classes_, classes_,
         parts_.head.weight.in(params), wires, 0, dread_.data() + begin * wires,
         wires);
    for (int64_t b = begin; b < end; ++b) {
      float* read = read_.data() + b * wires;
      float* dread = dread_.data() + b * wires;
      relaxation_.ReadOutput(states_[b], read);
      relaxation_.ReadOutputBackward(arrived_[b], read, dread);
      BackwardRow(params, b, states_, dread);
    }
  });
  LinearWeightBackward(dhead_.data(), read_.data(), rows_, wires, classes_,
                       parts_.head.weight.in(gradient),
                       parts_.head.bias.in(gradient));
  AddWeightGradients(x, states_, gradient);
  if (options_.arrival <= 0) return;
  const auto wanted =
      static_cast<float>(kMargin * config_.raytracing.theta_out);
  const auto pull =
      static_cast<float>(options_.arrival / static_cast<double>(rows_));
  ForRowBlocks(rows_, [&](int64_t, int64_t begin, int64_t end) {
    std::vector<float> dz(wires);
    for (int64_t b = begin; b < end; ++b) {
      std::fill(dz.begin(), dz.end(),
                early_arrived_[b] < wanted ? -pull : 0.0f);
      BackwardRow(params, b, early_, dz.data());
    }
  });
  AddWeightGradients(x, early_, gradient);
}

void RaytracingNetwork::BackwardRow(std::span<const float> params, int64_t b,
                                    RowStates& states, const float* dz) {
  const RowState row = states[b];
  const int64_t n = wiring_.block_units;
  float* dq = dq_.data() + b * wiring_.units();
  std::fill_n(dq, wiring_.units(), 0.0f);
  // By unit, of what it sends. Each unit has one wire, so one gradient.
  std::vector<float> dsent(wiring_.units(), 0.0f);
  for (int64_t k = 0; k < out_wires_; ++k) dsent[wiring_.output[k]] = dz[k];
  std::vector<float> dp(std::max(n, wiring_.module_units));
  std::vector<float> x, dx;
  for (int64_t e = wiring_.blocks; e-- > 0;) {
    const float amount = row.amount[wiring_.modules + e];
    if (amount == 0) continue;
    const RayLinear& block = parts_.blocks[e];
    const int64_t first = wiring_.first_unit(e);
    const float damount = Dot(dsent.data() + first, row.p + first, n);
    for (int64_t j = 0; j < n; ++j) dp[j] = amount * dsent[first + j];
    SoftmaxBackwardAdd(row.p + first, dp.data(), n, dq + first);
    x.resize(block.in);
    dx.assign(block.in, 0.0f);
    relaxation_.Read(e, row, x.data());
    for (int64_t j = 0; j < n; ++j) {
      AddScaled(block.weight.in(params) + j * block.in, dq[first + j], block.in,
                dx.data());
    }
    relaxation_.ReadBackward(e, row, x.data(), dx.data());
    for (int64_t k = 0; k < block.in; ++k) {
      dsent[wiring_.wires[e][k]] = dx[k] + damount;
    }
  }
  for (int64_t m = 0; m < wiring_.modules; ++m) {
    const int64_t first = m * wiring_.module_units;
    SoftmaxBackwardAdd(row.p + first, dsent.data() + first,
                       wiring_.module_units, dq + first);
  }
}

void RaytracingNetwork::AddWeightGradients(const float* x, RowStates& states,
                                           std::span<float> gradient) {
  // Each writes to tensors of its own.
  ParallelFor(wiring_.sources(), [&](int64_t source) {
    if (source < wiring_.modules) {
      AddModuleGradient(x, source, gradient);
    } else {
      AddBlockGradient(source - wiring_.modules, states, gradient);
    }
  });
}

void RaytracingNetwork::AddModuleGradient(const float* x, int64_t module,
                                          std::span<float> gradient) const {
  const RayLinear& linear = parts_.modules[module];
  const int64_t units = wiring_.module_units;
  const float* dq = dq_.data() + module * units;
  std::vector<float> read;
  read.reserve(rows_ * linear.in);
  for (int64_t b = 0; b < rows_; ++b) {
    for (const int32_t i : wiring_.inputs[module]) {
      read.push_back(x[b * config_.input.size() + i]);
    }
    Add(dq + b * wiring_.units(), units, linear.bias.in(gradient));
  }
  Gemm(true, false, units, linear.in, rows_, dq, wiring_.units(), read.data(),
       linear.in, 1, linear.weight.in(gradient), linear.in);
}

void RaytracingNetwork::AddBlockGradient(int64_t block, RowStates& states,
                                         std::span<float> gradient) const {
  const RayLinear& linear = parts_.blocks[block];
  const int64_t n = wiring_.block_units;
  std::vector<float> read, dq;
  int64_t awake = 0;
  for (int64_t b = 0; b < rows_; ++b) {
    const RowState row = states[b];
    if (row.amount[wiring_.modules + block] == 0) continue;
    ++awake;
    read.resize(awake * linear.in);
    relaxation_.Read(block, row, read.data() + (awake - 1) * linear.in);
    const float* from =
        dq_.data() + b * wiring_.units() + wiring_.first_unit(block);
    dq.insert(dq.end(), from, from + n);
  }
  if (awake == 0) return;
  BiasBackward(dq.data(), awake, n, linear.bias.in(gradient));
  Gemm(true, false, n, linear.in, awake, dq.data(), n, read.data(), linear.in,
       1, linear.weight.in(gradient), linear.in);
}

}  // namespace mre
