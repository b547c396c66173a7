// Data sets in memory.
#ifndef MRE_MODEL_DATA_DATASET_H_
#define MRE_MODEL_DATA_DATASET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/labelled_images.h"
#include "model/net/config.h"

namespace mre {

// The training or the test half of a data set.
using Split = LabelledImages;

struct Dataset {
  std::string name;
  std::vector<int64_t> shape;  // H, W, C
  std::vector<std::string> classes;
  Split train;
  Split test;
  bool text = false;  // images are windows of text, 1 x window x 1

  // Elements of one image.
  int64_t image_size() const { return shape[0] * shape[1] * shape[2]; }
};

// A hash of every image and label and of their order.
uint64_t Fingerprint(const Split& split);

// Moves the last `count` training images to a split of their own.
// INVALID_ARGUMENT unless at least one image stays.
absl::StatusOr<Split> TakeValidation(int64_t count, Dataset& data);

// Keeps the first `count` images; 0: all.
void Limit(int64_t count, int64_t image_size, Split& split);

// Shape, scale 1/255, and mean and standard deviation of each channel over the
// training images. Text: the bytes as they are.
InputConfig InputStatistics(const Dataset& data);

}  // namespace mre

#endif  // MRE_MODEL_DATA_DATASET_H_
