#include "model/eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mre {
namespace {

// Indices of the values, from the smallest on.
std::vector<size_t> Ascending(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  return order;
}

// Ranks from 0 on; equal values share the mean of theirs.
std::vector<double> Ranks(std::span<const double> values) {
  const std::vector<size_t> order = Ascending(values);
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    const double rank = static_cast<double>(begin + end - 1) / 2;
    for (; begin < end; ++begin) ranks[order[begin]] = rank;
  }
  return ranks;
}

}  // namespace

Spread SpreadOf(std::span<const double> values) {
  const double n = static_cast<double>(values.size());
  Spread spread;
  spread.least = *std::min_element(values.begin(), values.end());
  spread.most = *std::max_element(values.begin(), values.end());
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double x : values) {
    squares += (x - spread.mean) * (x - spread.mean);
  }
  if (values.size() > 1) spread.deviation = std::sqrt(squares / (n - 1));
  return spread;
}

std::optional<double> RankCorrelation(std::span<const double> a,
                                      std::span<const double> b) {
  const std::vector<double> x = Ranks(a);
  const std::vector<double> y = Ranks(b);
  // The mean of ranks 0..n-1, shared or not.
  const double mean = (static_cast<double>(x.size()) - 1) / 2;
  double xx = 0;
  double yy = 0;
  double xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
    xy += (x[i] - mean) * (y[i] - mean);
  }
  if (xx == 0 || yy == 0) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

std::vector<double> MeansByRank(std::span<const double> key,
                                std::span<const double> value, int64_t parts) {
  const std::vector<size_t> order = Ascending(key);
  const int64_t size = static_cast<int64_t>(order.size());
  std::vector<double> means;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = part * size / parts;
    const int64_t end = (part + 1) * size / parts;
    double sum = 0;
    for (int64_t i = begin; i < end; ++i) sum += value[order[i]];
    means.push_back(sum / static_cast<double>(end - begin));
  }
  return means;
}

}  // namespace mre
