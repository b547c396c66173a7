#include "model/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/rng.h"

namespace mre {

uint64_t Fingerprint(const Split& split) {
  uint64_t hash = Mix64(static_cast<uint64_t>(split.size()));
  for (const std::vector<uint8_t>* bytes : {&split.images, &split.labels}) {
    for (size_t at = 0; at < bytes->size(); at += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes->data() + at,
                  std::min<size_t>(8, bytes->size() - at));
      hash = Mix64(hash ^ word);
    }
  }
  return hash;
}

absl::StatusOr<Split> TakeValidation(int64_t count, Dataset& data) {
  if (count < 0 || count >= data.train.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--validation: expected a number in [0, ",
                     data.train.size(), "), got ", count));
  }
  const int64_t kept = data.train.size() - count;
  Split validation;
  validation.images.assign(data.train.images.begin() + kept * data.image_size(),
                           data.train.images.end());
  validation.labels.assign(data.train.labels.begin() + kept,
                           data.train.labels.end());
  data.train.images.resize(kept * data.image_size());
  data.train.labels.resize(kept);
  return validation;
}

void Limit(int64_t count, int64_t image_size, Split& split) {
  if (count <= 0 || count >= split.size()) return;
  split.images.resize(count * image_size);
  split.labels.resize(count);
}

InputConfig InputStatistics(const Dataset& data) {
  if (data.text) return {data.shape, 1, {0}, {1}};
  const int64_t channels = data.shape[2];
  // Counts of each byte value: exact, whatever the order.
  std::vector<std::vector<uint64_t>> counts(channels,
                                            std::vector<uint64_t>(256));
  for (int64_t c = 0; c < channels; ++c) {
    for (size_t i = c; i < data.train.images.size(); i += channels) {
      ++counts[c][data.train.images[i]];
    }
  }
  InputConfig input;
  input.shape = data.shape;
  input.scale = 1.0 / 255;
  const double pixels = static_cast<double>(data.train.images.size()) /
                        static_cast<double>(channels);
  for (const std::vector<uint64_t>& count : counts) {
    double sum = 0;
    double squares = 0;
    for (int value = 0; value < 256; ++value) {
      const double x = value * input.scale;
      sum += x * static_cast<double>(count[value]);
      squares += x * x * static_cast<double>(count[value]);
    }
    const double mean = sum / pixels;
    const double variance = squares / pixels - mean * mean;
    input.mean.push_back(mean);
    // A constant channel carries nothing; any scale will do.
    input.std.push_back(variance > 1e-12 ? std::sqrt(variance) : 1.0);
  }
  return input;
}

}  // namespace mre
