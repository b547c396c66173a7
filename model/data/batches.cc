#include "model/data/batches.h"

#include <algorithm>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/rng.h"
#include "model/net/batch_ops.h"

namespace mre {

namespace {

// Pixels that an image moves at most.
constexpr int64_t kShift = 1;
constexpr int64_t kCrop = 4;

}  // namespace

absl::StatusOr<Augmentation> ParseAugmentation(absl::string_view name) {
  Augmentation augment;
  if (name == "none") return augment;
  for (const absl::string_view part : absl::StrSplit(name, '+')) {
    if (part == "flip" && !augment.flip) {
      augment.flip = true;
    } else if (part == "shift" && augment.shift == 0) {
      augment.shift = kShift;
    } else if (part == "crop" && augment.shift == 0) {
      augment.shift = kCrop;
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "--augment: expected none, or flip and one of shift and crop joined "
          "by +, got \"",
          name, "\""));
    }
  }
  return augment;
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
  const bool augment = options_.augment.any();
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
  const int64_t size = shape_[0] * shape_[1] * shape_[2];
  Scale(split_.images.data() + image * size, size / shape_[2], x);
}

void Batches::Scale(const uint8_t* from, int64_t pixels, float* x) const {
  const int64_t channels = shape_[2];
  for (int64_t c = 0; c < channels; ++c) {
    const float* value = scales_[c].value;
    for (int64_t i = c; i < pixels * channels; i += channels) {
      x[i] = value[from[i]];
    }
  }
}

void Batches::FillZero(int64_t pixels, float* x) const {
  for (int64_t i = 0; i < pixels; ++i) {
    for (const ByteScale& scale : scales_) *x++ = scale.value[0];
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
  if (const int64_t most = options_.augment.shift; most > 0) {
    down = static_cast<int64_t>(rng.Below(2 * most + 1)) - most;
    right = static_cast<int64_t>(rng.Below(2 * most + 1)) - most;
  }
  // Columns [begin, end) come from the image, the others are empty.
  const int64_t begin = std::clamp<int64_t>(right, 0, width);
  const int64_t end = std::clamp<int64_t>(width + right, 0, width);
  const int64_t first = flip ? width + right - end : begin - right;
  std::vector<uint8_t> mirrored((end - begin) * channels);
  const uint8_t* pixels =
      split_.images.data() + image * height * width * channels;
  for (int64_t i = 0; i < height; ++i, x += width * channels) {
    const int64_t row = i - down;
    if (row < 0 || row >= height || begin == end) {
      FillZero(width, x);
      continue;
    }
    const uint8_t* from = pixels + (row * width + first) * channels;
    if (flip) {
      for (int64_t j = 0; j < end - begin; ++j) {
        std::copy_n(from + (end - begin - 1 - j) * channels, channels,
                    mirrored.data() + j * channels);
      }
      from = mirrored.data();
    }
    FillZero(begin, x);
    Scale(from, end - begin, x + begin * channels);
    FillZero(width - end, x + end * channels);
  }
}

}  // namespace mre
