// From a data set's bytes to the numbers that a model reads, in batches.
#ifndef MRE_MODEL_DATA_BATCHES_H_
#define MRE_MODEL_DATA_BATCHES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/data/dataset.h"
#include "model/net/config.h"

namespace mre {

struct Augmentation {
  bool flip = false;  // left-right, every other image
  // Moves by up to so many pixels each way, bytes of 0 moving in: "shift" is 1,
  // "crop" 4 (a border of 4, then a random crop of the image's size).
  int64_t shift = 0;

  bool any() const { return flip || shift > 0; }
};
// "none", or some of flip, shift and crop, joined by '+' in any order. Shift
// and crop are one or the other.
absl::StatusOr<Augmentation> ParseAugmentation(absl::string_view name);

// Batches of a split. Everything random is a pure function of the seed, the
// epoch and the image, so that a run can go on from any step. Not thread-safe;
// borrows the split.
class Batches {
 public:
  struct Options {
    int64_t batch = 256;
    Augmentation augment;
    uint64_t seed = 0;
  };

  // REQUIRES: split.size() > 0.
  Batches(const Split& split, const InputConfig& input, const Options& options);

  // Whole batches an epoch; what is left over is not used in that epoch. A
  // split smaller than a batch is one batch.
  int64_t per_epoch() const;
  int64_t rows() const;

  // Loads batch `index` of `epoch` in that epoch's order.
  void Load(int64_t epoch, int64_t index);
  // Loads images [begin, end) as they are.
  void LoadRange(int64_t begin, int64_t end);

  // What was loaded last: [rows,H,W,C] scaled, and the labels.
  const float* x() const { return x_.data(); }
  const std::vector<uint8_t>& labels() const { return labels_; }

 private:
  // Byte to number, for each channel.
  struct ByteScale {
    float value[256];
  };

  // Writes so many pixels to x.
  void Scale(const uint8_t* from, int64_t pixels, float* x) const;
  void FillZero(int64_t pixels, float* x) const;
  void LoadImage(int64_t image, float* x) const;
  // The same with augmentation, drawn from `key`.
  void LoadAugmented(int64_t image, uint64_t key, float* x) const;

  const Split& split_;
  const std::vector<int64_t> shape_;
  const Options options_;
  std::vector<ByteScale> scales_;  // by channel
  int64_t epoch_ = -1;             // whose order order_ is
  std::vector<int64_t> order_;
  std::vector<float> x_;
  std::vector<uint8_t> labels_;
};

}  // namespace mre

#endif  // MRE_MODEL_DATA_BATCHES_H_
