// The data sets that mre-train knows, in memory.
#ifndef MRE_MODEL_TRAIN_DATASET_H_
#define MRE_MODEL_TRAIN_DATASET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/net/config.h"

namespace mre {

// Labelled images: `labels.size()` times H*W*C bytes.
struct Split {
  std::vector<uint8_t> images;
  std::vector<uint8_t> labels;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

struct Dataset {
  std::string name;
  std::vector<int64_t> shape;  // H, W, C
  std::vector<std::string> classes;
  Split train;
  Split test;

  // Elements of one image.
  int64_t image_size() const { return shape[0] * shape[1] * shape[2]; }
};

// Names of the data sets, for help texts: "fashion-mnist, mnist".
std::string DatasetNames();

// Reads a data set. `data_dir` empty: where the system's package installs it.
// INVALID_ARGUMENT for an unknown name; NOT_FOUND for a missing file, with a
// hint where to get it; otherwise the error names the damaged file.
absl::StatusOr<Dataset> LoadDataset(absl::string_view name,
                                    const std::string& data_dir);

// A hash of every image and label and of their order.
uint64_t Fingerprint(const Split& split);

// Moves the last `count` training images to a split of their own.
// INVALID_ARGUMENT unless at least one image stays.
absl::StatusOr<Split> TakeValidation(int64_t count, Dataset& data);

// Keeps the first `count` images; 0: all.
void Limit(int64_t count, int64_t image_size, Split& split);

// Shape, scale 1/255, and mean and standard deviation of each channel over the
// training images.
InputConfig InputStatistics(const Dataset& data);

}  // namespace mre

#endif  // MRE_MODEL_TRAIN_DATASET_H_
