#include "client/loadtest/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mre {
namespace {

// A power of two is cut into 2^kPartBits parts. The middle of a part stands
// for its values, so the error is at most half a part: 2^-(kPartBits + 1).
constexpr int kPartBits = 7;
constexpr size_t kParts = size_t{1} << kPartBits;
// Values below 2 * kParts have a part each, then each power of two has kParts.
constexpr size_t kBuckets = (64 - kPartBits + 1) * kParts;

// How many of the lowest bits of `value` its part does not tell apart.
int LostBits(uint64_t value) {
  return std::max(static_cast<int>(std::bit_width(value)) - (kPartBits + 1), 0);
}

size_t BucketOf(uint64_t value) {
  const int lost = LostBits(value);
  return static_cast<size_t>(lost) * kParts +
         static_cast<size_t>(value >> lost);
}

// The middle of a part.
uint64_t ValueOf(size_t bucket) {
  if (bucket < 2 * kParts) return bucket;
  const size_t lost = bucket / kParts - 1;
  const uint64_t first = uint64_t{bucket - lost * kParts} << lost;
  return first + (uint64_t{1} << lost) / 2;
}

}  // namespace

void Histogram::Add(uint64_t value) {
  if (counts_.empty()) counts_.resize(kBuckets);
  ++counts_[BucketOf(value)];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  if (counts_.empty()) counts_.resize(kBuckets);
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::Mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

uint64_t Histogram::Quantile(double q) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(q * static_cast<double>(count_));
  const uint64_t rank =
      std::clamp(static_cast<uint64_t>(wanted), uint64_t{1}, count_);
  uint64_t seen = 0;
  size_t bucket = 0;
  while ((seen += counts_[bucket]) < rank) ++bucket;
  return std::clamp(ValueOf(bucket), min_, max_);
}

}  // namespace mre
