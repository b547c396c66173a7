#include "model/net/relaxation.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "model/math/elementwise.h"

namespace mre {
namespace {

// So that no mass at all is no division by zero.
constexpr float kMassEpsilon = 1e-6f;

// z of some wires; returns its sum.
float Gather(const Wiring& wiring, std::span<const int32_t> wires,
             const RowState& row, float* z) {
  float sum = 0;
  for (size_t k = 0; k < wires.size(); ++k) {
    z[k] = row.amount[wiring.source[wires[k]]] * row.p[wires[k]];
    sum += z[k];
  }
  return sum;
}

float Sum(const Wiring& wiring, std::span<const int32_t> wires,
          const RowState& row) {
  float sum = 0;
  for (const int32_t unit : wires) {
    sum += row.amount[wiring.source[unit]] * row.p[unit];
  }
  return sum;
}

void Scale(float factor, int64_t n, float* x) {
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

// Of x = scale * z / (sum z + epsilon): from dx to dz.
void NormaliseBackward(float scale, float sum, const float* x, int64_t n,
                       float* dx) {
  const float dot = Dot(dx, x, n);
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = (scale * dx[i] - dot) / (sum + kMassEpsilon);
  }
}

float RootOf(size_t wires) { return std::sqrt(static_cast<float>(wires)); }

}  // namespace

void RowStates::Resize(const Wiring& wiring, int64_t rows) {
  units_ = wiring.units();
  sources_ = wiring.sources();
  blocks_ = wiring.blocks;
  p_.resize(rows * units_);
  amount_.resize(rows * sources_);
  rate_.resize(rows * blocks_);
  changed_.resize(rows * sources_);
  known_.resize(rows * blocks_);
}

RowState RowStates::operator[](int64_t row) {
  return {p_.data() + row * units_, amount_.data() + row * sources_,
          rate_.data() + row * blocks_, changed_.data() + row * sources_,
          known_.data() + row * blocks_};
}

Relaxation::Relaxation(const ModelConfig& config)
    : wiring_(config),
      gain_(static_cast<float>(config.raytracing.gain)),
      normalised_(config.raytracing.normalised) {}

void Relaxation::Start(RowState row) const {
  const int64_t modules = wiring_.modules;
  std::fill_n(row.amount, modules, 1.0f);
  std::fill_n(row.amount + modules, wiring_.blocks, 0.0f);
  std::fill_n(row.changed, modules, uint8_t{1});
  std::fill_n(row.changed + modules, wiring_.blocks, uint8_t{0});
  std::fill_n(row.rate, wiring_.blocks, 0.0f);
  std::fill_n(row.known, wiring_.blocks, uint8_t{0});
  // Sums are over sources that sleep too, whatever they held before.
  std::fill_n(row.p + wiring_.first_unit(0),
              wiring_.units() - wiring_.first_unit(0), 0.0f);
}

bool Relaxation::Stale(int64_t block, const RowState& row) const {
  const std::vector<int32_t>& feeders = wiring_.feeders[block];
  return std::any_of(feeders.begin(), feeders.end(),
                     [&](int32_t source) { return row.changed[source] != 0; });
}

bool Relaxation::Visit(int64_t block, float theta, RowState row) const {
  if (Stale(block, row)) {
    row.rate[block] = Sum(wiring_, wiring_.wires[block], row);
    row.known[block] = 0;
  }
  const float rate = row.rate[block];
  const bool awake = rate > theta;
  const bool compute = awake && row.known[block] == 0;
  const int64_t source = wiring_.modules + block;
  const float amount = awake ? rate - theta : 0.0f;
  row.changed[source] = compute || amount != row.amount[source];
  row.amount[source] = amount;
  if (compute) row.known[block] = 1;
  return compute;
}

void Relaxation::EndStep(RowState row) const {
  std::fill_n(row.changed, wiring_.modules, uint8_t{0});
}

void Relaxation::Read(int64_t block, const RowState& row, float* x) const {
  const std::vector<int32_t>& wires = wiring_.wires[block];
  const float sum = Gather(wiring_, wires, row, x);
  float scale = gain_;
  if (normalised_) scale *= RootOf(wires.size()) / (sum + kMassEpsilon);
  Scale(scale, static_cast<int64_t>(wires.size()), x);
}

void Relaxation::ReadBackward(int64_t block, const RowState& row,
                              const float* x, float* dx) const {
  const std::vector<int32_t>& wires = wiring_.wires[block];
  const int64_t n = static_cast<int64_t>(wires.size());
  if (normalised_) {
    NormaliseBackward(gain_ * RootOf(wires.size()), row.rate[block], x, n, dx);
  } else {
    Scale(gain_, n, dx);
  }
}

float Relaxation::Arrived(const RowState& row) const {
  return Sum(wiring_, wiring_.output, row);
}

float Relaxation::ReadOutput(const RowState& row, float* x) const {
  const std::vector<int32_t>& wires = wiring_.output;
  const float sum = Gather(wiring_, wires, row, x);
  Scale(RootOf(wires.size()) / 2 / (sum + kMassEpsilon),
        static_cast<int64_t>(wires.size()), x);
  return sum;
}

void Relaxation::ReadOutputBackward(float arrived, const float* x,
                                    float* dx) const {
  const std::vector<int32_t>& wires = wiring_.output;
  NormaliseBackward(RootOf(wires.size()) / 2, arrived, x,
                    static_cast<int64_t>(wires.size()), dx);
}

}  // namespace mre
