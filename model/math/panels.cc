#include "model/math/panels.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace mre {

struct Panels::Product {
  const Line* lines;  // [panels, 1 + in]
  const float* x;
  int64_t rows, in, out;
  bool relu;
  float* y;
};

namespace {

// How far ahead weights are fetched that are not in the cache.
constexpr int64_t kPrefetch = 8;

// kRows rows from `row` by the panel that begins at column `first`, of which
// the product has `columns`. V: floats of one register; kWide of them are
// computed, of which the first `columns` count.
template <typename V, int kRows, int kWide>
[[gnu::always_inline]] inline void Tile(const Panels::Product& p,
                                        const Panels::Line* panel, int64_t row,
                                        int64_t first, int64_t columns) {
  constexpr int64_t kLanes = sizeof(V) / sizeof(float);
  V sum[kRows][kWide];
  V weight[kWide];
#pragma GCC unroll 8
  for (int v = 0; v < kWide; ++v) {
    std::memcpy(&weight[v], panel->weight + v * kLanes, sizeof(V));
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sum[r][v] = weight[v];
  }
  const float* x = p.x + row * p.in;
  for (int64_t i = 0; i < p.in; ++i) {
    ++panel;
    __builtin_prefetch(panel[kPrefetch].weight);
    __builtin_prefetch(panel[kPrefetch].weight + 16);
#pragma GCC unroll 8
    for (int v = 0; v < kWide; ++v) {
      std::memcpy(&weight[v], panel->weight + v * kLanes, sizeof(V));
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kWide; ++v) sum[r][v] += x[r * p.in + i] * weight[v];
    }
  }
  float* y = p.y + row * p.out + first;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kWide; ++v) {
      if (p.relu) sum[r][v] = sum[r][v] < 0 ? V{} : sum[r][v];
    }
    if (columns == kWide * kLanes) {
      std::memcpy(y + r * p.out, sum[r], sizeof(sum[r]));
    } else {
      std::memcpy(y + r * p.out, sum[r], columns * sizeof(float));
    }
  }
}

// All rows by one panel, most of them kRows at a time.
template <typename V, int kRows, int kWide>
[[gnu::always_inline]] inline void AllRows(const Panels::Product& p,
                                           const Panels::Line* panel,
                                           int64_t first, int64_t columns) {
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) {
    Tile<V, kRows, kWide>(p, panel, row, first, columns);
  }
  const auto rest = [&]<int... kRest>(std::integer_sequence<int, kRest...>)
      __attribute__((always_inline)) {
    ((p.rows - row == kRest + 1
          ? Tile<V, kRest + 1, kWide>(p, panel, row, first, columns)
          : void()),
     ...);
  };
  rest(std::make_integer_sequence<int, kRows - 1>());
}

template <typename V, int kRows>
[[gnu::always_inline]] inline void AllPanels(const Panels::Product& p) {
  constexpr int kWide = Panels::kPanel * sizeof(float) / sizeof(V);
  const Panels::Line* panel = p.lines;
  for (int64_t first = 0; first < p.out; first += Panels::kPanel) {
    const int64_t columns = std::min(Panels::kPanel, p.out - first);
    if (columns > Panels::kPanel / 2) {
      AllRows<V, kRows, kWide>(p, panel, first, columns);
    } else {
      AllRows<V, kRows, kWide / 2>(p, panel, first, columns);
    }
    panel += 1 + p.in;
  }
}

// As many rows at a time as registers hold sums.
using V4 [[gnu::vector_size(16)]] = float;
void Run128(const Panels::Product& p) { AllPanels<V4, 1>(p); }

#ifdef __x86_64__
using V8 [[gnu::vector_size(32)]] = float;
using V16 [[gnu::vector_size(64)]] = float;
[[gnu::target("avx2,fma")]] void Run256(const Panels::Product& p) {
  AllPanels<V8, 2>(p);
}
[[gnu::target("avx512f")]] void Run512(const Panels::Product& p) {
  AllPanels<V16, 8>(p);
}
#endif

void (*RunOf(int bits))(const Panels::Product&) {
#ifdef __x86_64__
  if (bits == 512) return Run512;
  if (bits == 256) return Run256;
#endif
  return Run128;
}

}  // namespace

std::vector<int> Panels::Widths() {
  std::vector<int> widths;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) widths.push_back(512);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    widths.push_back(256);
  }
#endif
  widths.push_back(128);
  return widths;
}

Panels::Panels(int64_t in, int64_t out, std::span<const float> weight,
               std::span<const float> bias, int bits)
    : in_(in),
      out_(out),
      run_(RunOf(bits)),
      lines_((out + kPanel - 1) / kPanel * (1 + in) + kPrefetch) {
  for (int64_t o = 0; o < out; ++o) {
    Line* panel = lines_.data() + o / kPanel * (1 + in);
    panel[0].weight[o % kPanel] = bias[o];
    for (int64_t i = 0; i < in; ++i) {
      panel[1 + i].weight[o % kPanel] = weight[o * in + i];
    }
  }
}

void Panels::Apply(const float* x, int64_t rows, Activation activation,
                   float* y) const {
  run_({lines_.data(), x, rows, in_, out_, activation == Activation::kRelu, y});
}

}  // namespace mre
