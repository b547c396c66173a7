#include "model/train/batches.h"

#include <algorithm>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/rng.h"
#include "model/net/batch_ops.h"

namespace mre {

absl::StatusOr<Augmentation> ParseAugmentation(absl::string_view name) {
  if (name == "none") return Augmentation{};
  if (name == "flip") return Augmentation{.flip = true};
  if (name == "shift") return Augmentation{.shift = true};
  if (name == "flip+shift") return Augmentation{.flip = true, .shift = true};
  return absl::InvalidArgumentError(absl::StrCat(
      "--augment: expected none, flip, shift or flip+shift, got \"", name,
      "\""));
}

Batches::Batches(const Split& split, const InputConfig& input,
                 const Options& options)
    : split_(split),
      shape_(input.shape),
      options_(options),
      scales_(input.channels()) {
  for (int64_t c = 0; c < input.channels(); ++c) {
    // As design and server have it: (x * scale - mean) / std.
    for (int byte = 0; byte < 256; ++byte) {
      scales_[c].value[byte] = static_cast<float>(
          (byte * input.scale - input.mean[c]) / input.std[c]);
    }
  }
}

int64_t Batches::rows() const {
  return std::min(options_.batch, split_.size());
}

int64_t Batches::per_epoch() const { return split_.size() / rows(); }

void Batches::Load(int64_t epoch, int64_t index) {
  if (epoch != epoch_) {
    order_.resize(split_.size());
    std::iota(order_.begin(), order_.end(), 0);
    Rng rng(Mix64(options_.seed) + epoch);
    rng.Shuffle(order_);
    epoch_ = epoch;
  }
  const int64_t size = shape_[0] * shape_[1] * shape_[2];
  const bool augment = options_.augment.flip || options_.augment.shift;
  const uint64_t epoch_key = Mix64(Mix64(options_.seed + 1) + epoch);
  x_.resize(rows() * size);
  labels_.resize(rows());
  ForRowBlocks(rows(), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t image = order_[index * rows() + b];
      labels_[b] = split_.labels[image];
      if (augment) {
        LoadAugmented(image, Mix64(epoch_key + image), x_.data() + b * size);
      } else {
        LoadImage(image, x_.data() + b * size);
      }
    }
  });
}

void Batches::LoadRange(int64_t begin, int64_t end) {
  const int64_t size = shape_[0] * shape_[1] * shape_[2];
  x_.resize((end - begin) * size);
  labels_.assign(split_.labels.begin() + begin, split_.labels.begin() + end);
  ForRowBlocks(end - begin, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) {
      LoadImage(begin + b, x_.data() + b * size);
    }
  });
}

void Batches::LoadImage(int64_t image, float* x) const {
  const int64_t channels = shape_[2];
  const int64_t size = shape_[0] * shape_[1] * channels;
  const uint8_t* from = split_.images.data() + image * size;
  for (int64_t c = 0; c < channels; ++c) {
    const float* value = scales_[c].value;
    for (int64_t i = c; i < size; i += channels) x[i] = value[from[i]];
  }
}

void Batches::LoadAugmented(int64_t image, uint64_t key, float* x) const {
  const int64_t height = shape_[0];
  const int64_t width = shape_[1];
  const int64_t channels = shape_[2];
  Rng rng(key);
  const bool flip = options_.augment.flip && rng.Below(2) == 1;
  int64_t down = 0;
  int64_t right = 0;
  if (options_.augment.shift) {
    down = static_cast<int64_t>(rng.Below(3)) - 1;
    right = static_cast<int64_t>(rng.Below(3)) - 1;
  }
  const uint8_t* from =
      split_.images.data() + image * height * width * channels;
  for (int64_t i = 0; i < height; ++i) {
    const int64_t row = i - down;
    for (int64_t j = 0; j < width; ++j) {
      const int64_t at = flip ? width - 1 - (j - right) : j - right;
      const bool inside = row >= 0 && row < height && at >= 0 && at < width;
      for (int64_t c = 0; c < channels; ++c) {
        const uint8_t byte =
            inside ? from[(row * width + at) * channels + c] : 0;
        *x++ = scales_[c].value[byte];
      }
    }
  }
}

}  // namespace mre
