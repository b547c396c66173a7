#include "model/train/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/idx_file.h"
#include "model/base/rng.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// One row a data set of the MNIST family: four IDX files in a directory.
struct IdxDataset {
  absl::string_view name;
  absl::string_view default_dir;  // empty: --data_dir must be given
  absl::string_view hint;
  std::vector<std::string> classes;
};

// All data sets. One in another format gets a loader of its own here.
const std::vector<IdxDataset>& Table() {
  static const auto* const kTable = new std::vector<IdxDataset>{
      {"fashion-mnist",
       "/usr/share/datasets/fashion-mnist",
       "Debian: apt-get install dataset-fashion-mnist",
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal",
        "Shirt", "Sneaker", "Bag", "Ankle boot"}},
      {"mnist",
       "",
       "the four files of the MNIST database of handwritten digits",
       {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
  };
  return *kTable;
}

// Most bytes that an unpacked file may have: far above any set of this format,
// far below what would hurt.
constexpr size_t kMaxIdxBytes = size_t{1} << 30;

// The items of `stem`.gz or, failing that, of `stem` itself, which must have
// `dimensions` dimensions. `path` is set to the one that was read.
absl::StatusOr<Idx> ReadItems(const std::string& stem, size_t dimensions,
                              std::string& path) {
  path = absl::StrCat(stem, ".gz");
  absl::StatusOr<Idx> idx = ReadIdxFile(path, kMaxIdxBytes);
  if (absl::IsNotFound(idx.status())) {
    path = stem;
    idx = ReadIdxFile(path, kMaxIdxBytes);
  }
  RETURN_IF_ERROR(idx.status());
  if (idx->item_shape.size() + 1 != dimensions || idx->count == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected ", dimensions, " dimensions and at least one item, ",
        "got ", idx->item_shape.size() + 1, " and ", idx->count));
  }
  return idx;
}

// Reads one split and sets `shape` from it.
absl::StatusOr<Split> ReadIdxSplit(const std::string& dir,
                                   absl::string_view prefix, size_t classes,
                                   std::vector<int64_t>& shape) {
  Split split;
  std::string path;
  ASSIGN_OR_RETURN(
      const Idx images,
      ReadItems(absl::StrCat(dir, "/", prefix, "-images-idx3-ubyte"), 3, path));
  shape = {images.item_shape[0], images.item_shape[1], 1};
  split.images.assign(images.data.begin(), images.data.end());
  ASSIGN_OR_RETURN(
      const Idx labels,
      ReadItems(absl::StrCat(dir, "/", prefix, "-labels-idx1-ubyte"), 1, path));
  split.labels.assign(labels.data.begin(), labels.data.end());
  if (labels.count != images.count) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected ", images.count,
                     " labels, one an image, got ", labels.count));
  }
  for (const uint8_t label : split.labels) {
    if (label >= classes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": expected labels below ", classes, ", got ",
                       static_cast<int>(label)));
    }
  }
  return split;
}

absl::StatusOr<Dataset> LoadIdxDataset(const IdxDataset& entry,
                                       std::string dir) {
  if (dir.empty()) dir = std::string(entry.default_dir);
  if (dir.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--data_dir: expected the directory of ", entry.name, " (",
                     entry.hint, ")"));
  }
  Dataset data;
  data.name = std::string(entry.name);
  data.classes = entry.classes;
  std::vector<int64_t> test_shape;
  const auto read = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(data.train, ReadIdxSplit(dir, "train", data.classes.size(),
                                              data.shape));
    ASSIGN_OR_RETURN(
        data.test, ReadIdxSplit(dir, "t10k", data.classes.size(), test_shape));
    return absl::OkStatus();
  };
  const absl::Status status = read();
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(
        absl::StrCat(status.message(), " (", entry.hint, ")"));
  }
  RETURN_IF_ERROR(status);
  if (test_shape != data.shape) {
    return absl::InvalidArgumentError(absl::StrCat(
        dir, ": expected training and test images of one size, got ",
        absl::StrJoin(data.shape, "x"), " and ",
        absl::StrJoin(test_shape, "x")));
  }
  return data;
}

}  // namespace

std::string DatasetNames() {
  return absl::StrJoin(Table(), ", ",
                       [](std::string* out, const IdxDataset& entry) {
                         absl::StrAppend(out, entry.name);
                       });
}

absl::StatusOr<Dataset> LoadDataset(absl::string_view name,
                                    const std::string& data_dir) {
  for (const IdxDataset& entry : Table()) {
    if (entry.name == name) return LoadIdxDataset(entry, data_dir);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--dataset: expected one of ", DatasetNames(), ", got \"", name, "\""));
}

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
  const int64_t channels = data.shape[2];
  // Counts of each byte value: exact, whatever the order.
  std::vector<std::vector<uint64_t>> counts(channels,
                                            std::vector<uint64_t>(256));
  for (size_t i = 0; i < data.train.images.size(); ++i) {
    ++counts[i % channels][data.train.images[i]];
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
