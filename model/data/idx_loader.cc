#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "model/base/gzip_file.h"
#include "model/base/idx_file.h"
#include "model/base/status_macros.h"
#include "model/data/loaders.h"

namespace mre {
namespace {

// Most bytes that an unpacked file may have: far above any set of this format,
// far below what would hurt.
constexpr size_t kMaxIdxBytes = size_t{1} << 30;

// The items of `stem`.gz or, failing that, of `stem` itself, which must have
// `dimensions` dimensions. `path` is set to the one that was read.
absl::StatusOr<Idx> ReadItems(const std::string& stem, size_t dimensions,
                              std::string& path) {
  path = PackedOrPlain(stem);
  ASSIGN_OR_RETURN(Idx idx, ReadIdxFile(path, kMaxIdxBytes));
  if (idx.item_shape.size() + 1 != dimensions || idx.count == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected ", dimensions, " dimensions and at least one item, ",
        "got ", idx.item_shape.size() + 1, " and ", idx.count));
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

}  // namespace

absl::StatusOr<Dataset> LoadIdx(const std::string& dir,
                                const std::vector<std::string>& classes) {
  Dataset data;
  data.classes = classes;
  ASSIGN_OR_RETURN(data.train,
                   ReadIdxSplit(dir, "train", classes.size(), data.shape));
  std::vector<int64_t> test_shape;
  ASSIGN_OR_RETURN(data.test,
                   ReadIdxSplit(dir, "t10k", classes.size(), test_shape));
  if (test_shape != data.shape) {
    return absl::InvalidArgumentError(absl::StrCat(
        dir, ": expected training and test images of one size, got ",
        absl::StrJoin(data.shape, "x"), " and ",
        absl::StrJoin(test_shape, "x")));
  }
  return data;
}

}  // namespace mre
