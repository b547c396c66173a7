// A histogram of a wide range of values in fixed memory, as HdrHistogram
// (http://hdrhistogram.org) has it: every power of two is cut into the same
// number of equal parts, so what is lost is a share of the value, whatever its
// size.
#ifndef MRE_CLIENT_LOADTEST_HISTOGRAM_H_
#define MRE_CLIENT_LOADTEST_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mre {

// Counts of 64-bit values; here of nanoseconds. Takes 58 KiB, from the first
// value on; nothing before. Not thread-safe.
class Histogram {
 public:
  // A quantile differs from the exact one by at most this share of it. Values
  // below 256, the smallest, the largest and the mean are exact.
  static constexpr double kMaxRelativeError = 1.0 / 256;

  void Add(uint64_t value);
  // Afterwards this is as if it had been given the values of both.
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  // 0 without values, as the mean and the quantiles.
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double Mean() const;

  // The value at rank ceil(q * count()) of the sorted values, ranks from 1:
  // the smallest that at least the share q of the values does not exceed.
  // REQUIRES: 0 <= q <= 1.
  uint64_t Quantile(double q) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t min_ = ~uint64_t{0};
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_HISTOGRAM_H_
