#include "model/eval/path_statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace mre {
namespace {

// Entropy in bits of what was counted.
template <typename Key>
double Entropy(const std::map<Key, int64_t>& counts) {
  double total = 0;
  for (const auto& [key, count] : counts) total += static_cast<double>(count);
  double entropy = 0;
  for (const auto& [key, count] : counts) {
    const double p = static_cast<double>(count) / total;
    entropy -= p * std::log2(p);
  }
  return entropy;
}

double Mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

}  // namespace

double PathStatistics::mean_information() const {
  return Mean(mutual_information);
}

double PathStatistics::mean_normalised() const { return Mean(normalised); }

PathStatistics StatisticsOfPaths(std::span<const int32_t> paths,
                                 int64_t length) {
  PathStatistics statistics;
  statistics.length = length;
  std::map<std::vector<int32_t>, int64_t> whole;
  for (size_t at = 0; at < paths.size(); at += length) {
    ++whole[std::vector<int32_t>(paths.begin() + at,
                                 paths.begin() + at + length)];
  }
  statistics.paths = static_cast<int64_t>(whole.size());
  statistics.entropy = Entropy(whole);
  for (int64_t i = 0; i + 1 < length; ++i) {
    std::map<int32_t, int64_t> first;
    std::map<int32_t, int64_t> second;
    std::map<std::pair<int32_t, int32_t>, int64_t> both;
    for (size_t at = i; at < paths.size(); at += length) {
      ++first[paths[at]];
      ++second[paths[at + 1]];
      ++both[{paths[at], paths[at + 1]}];
    }
    const double a = Entropy(first);
    const double b = Entropy(second);
    // Rounding must not make it negative.
    const double information = std::max(0.0, a + b - Entropy(both));
    const double most = std::min(a, b);
    statistics.mutual_information.push_back(information);
    statistics.normalised.push_back(most > 0 ? std::min(1.0, information / most)
                                             : 0);
  }
  return statistics;
}

std::vector<int32_t> FirstSteps(std::span<const int32_t> path, int64_t steps,
                                int64_t length) {
  std::vector<int32_t> first;
  for (size_t at = 0; at < path.size(); at += steps) {
    first.insert(first.end(), path.begin() + at, path.begin() + at + length);
  }
  return first;
}

}  // namespace mre
